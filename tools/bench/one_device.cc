#include "one_device.h"

#include <coap3/coap.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "opener.h"
#include "skep/wire/resources.h"
#include "udp_relay.h"

namespace skep::bench {
namespace {

using nlohmann::ordered_json;

constexpr std::uint64_t kIpUdpHeaderBytes = 20 + 8;  // IPv4 without options, UDP

// ---- the update by part

struct UpdateParts {
  std::uint64_t header = 0;     // UpdateHeader
  std::uint64_t enc = 0;        // HPKE's encapsulated key
  std::uint64_t fields = 0;     // of Update, without the delta: tags and lengths included
  std::uint64_t delta = 0;      // the compressed delta
  std::uint64_t aead_tag = 0;   // HPKE's
  std::uint64_t signature = 0;  // ECDSA
  std::uint64_t framing = 0;    // tags and lengths of SealedUpdate's members
  std::uint64_t total = 0;
};

UpdateParts take_apart(Bytes update, Opener& opener, const wire::DeviceCredentials& credentials) {
  const wire::Update content = opener.open(update, verifying_key_of(credentials));
  const auto sealed = wire::decode_sealed_update(update);
  UpdateParts parts;
  parts.header = sealed->header.size();
  parts.enc = sealed->enc.size();
  parts.delta = content.delta.size();
  parts.aead_tag = wire::kAeadTagBytes;
  parts.fields = sealed->ciphertext.size() - parts.aead_tag - parts.delta;
  parts.signature = sealed->signature.size();
  parts.total = update.size();
  parts.framing =
      parts.total - parts.header - parts.enc - sealed->ciphertext.size() - parts.signature;
  return parts;
}

// ---- the wire by layer

// One direction of one step.
struct Layers {
  std::uint64_t datagrams = 0;
  std::uint64_t udp_payload = 0;
  std::uint64_t coap = 0;  // whole CoAP messages, body included
  std::uint64_t body = 0;  // of the request or the response

  [[nodiscard]] std::uint64_t ip_udp() const { return datagrams * kIpUdpHeaderBytes; }
  [[nodiscard]] std::uint64_t dtls() const { return udp_payload - coap; }
  [[nodiscard]] std::uint64_t total() const { return udp_payload + ip_udp(); }
};

struct Step {
  std::string name;
  Layers up;
  Layers down;
};

// What the cipher suite adds to a record of application data from the gateway, whose peer has no
// connection ID: the header, the explicit nonce and the tag (RFC 6655).
constexpr std::uint16_t kEcdheEcdsaAes128Ccm8 = 0xC0AE;
constexpr std::uint64_t kCcm8RecordBytes = 13 + 8 + 8;

// A device's own records are padded by Mbed TLS, so their content cannot be told from their
// length. libcoap's log has the size of every message that it hands to DTLS. Its handler has no
// argument for us, hence the global; there is one measurement in a process.
std::uint64_t coap_bytes_up = 0;

void read_log(coap_log_t /*level*/, const char* message) {
  unsigned bytes = 0;
  const char* const sent = std::strstr(message, ": dtls:  sent ");
  if (sent != nullptr && std::sscanf(sent, ": dtls:  sent %u bytes", &bytes) == 1) {
    coap_bytes_up += bytes;
  }
}

class Meter {
 public:
  Meter(const wire::DeviceCredentials& credentials, LoopbackPort gateway)
      : relay_(gateway), helper_(relay_.helper()) {
    coap_set_log_handler(read_log);
    coap_set_show_pdu_output(0);  // into the log, not onto stdout
    coap_set_log_level(COAP_LOG_DEBUG);
    sessions_.push_back(std::make_unique<Session>(credentials, relay_.port()));
  }
  ~Meter() {
    coap_set_log_level(COAP_LOG_EMERG);
    coap_set_log_handler(nullptr);
  }
  Meter(const Meter&) = delete;
  Meter& operator=(const Meter&) = delete;

  [[nodiscard]] Session& session() { return *sessions_.front(); }
  [[nodiscard]] const std::vector<Step>& steps() const { return steps_; }

  void handshake() {
    session().open();
    drive(
        sessions_, [&] { return session().is_established(); }, helper_);
    if (relay_.cipher_suite() != kEcdheEcdsaAes128Ccm8) {
      throw std::runtime_error("another cipher suite than TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8");
    }
    finish("handshake", 0, 0);
  }

  // Returns the response's body.
  Buffer get(const char* name, const char* path, const char* query, bool observe) {
    session().get(path, query, observe);
    drive(
        sessions_, [&] { return session().is_answered(); }, helper_);
    finish(name, 0, session().body().size());
    return session().body();
  }

  void post(const char* name, const char* path, Bytes body) {
    session().post(path, body);
    drive(
        sessions_, [&] { return session().is_answered(); }, helper_);
    finish(name, body.size(), session().body().size());
  }

 private:
  // Acknowledgements still under way belong to the step that they end.
  void settle() {
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(300);
    drive(
        sessions_, [&] { return std::chrono::steady_clock::now() >= until; }, helper_);
  }

  void finish(const std::string& name, std::uint64_t body_up, std::uint64_t body_down) {
    settle();
    const Traffic up = since(relay_.up(), up_before_);
    const Traffic down = since(relay_.down(), down_before_);
    // In the handshake there is no application data; afterwards there is nothing else.
    if (down.data_records != 0 && down.data_records != down.datagrams) {
      throw std::runtime_error(name + ": handshake and data are mixed; packets were lost");
    }
    const std::uint64_t coap_down =
        down.data_records == 0 ? 0 : down.bytes - down.data_records * kCcm8RecordBytes;
    steps_.push_back({name,
                      {up.datagrams, up.bytes, coap_bytes_up, body_up},
                      {down.datagrams, down.bytes, coap_down, body_down}});
    up_before_ = relay_.up();
    down_before_ = relay_.down();
    coap_bytes_up = 0;
  }

  static Traffic since(const Traffic& now, const Traffic& before) {
    return {now.datagrams - before.datagrams, now.bytes - before.bytes,
            now.data_records - before.data_records};
  }

  UdpRelay relay_;
  Helper helper_;
  Sessions sessions_;
  std::vector<Step> steps_;
  Traffic up_before_;
  Traffic down_before_;
};

// ---- output

ordered_json to_json(const UpdateParts& parts) {
  return {{"header", parts.header},   {"enc", parts.enc},           {"update_fields", parts.fields},
          {"delta", parts.delta},     {"aead_tag", parts.aead_tag}, {"signature", parts.signature},
          {"framing", parts.framing}, {"total", parts.total}};
}

ordered_json to_json(const Layers& layers) {
  return {{"datagrams", layers.datagrams},     {"body", layers.body},
          {"coap", layers.coap - layers.body}, {"dtls", layers.dtls()},
          {"ip_udp", layers.ip_udp()},         {"total", layers.total()}};
}

std::string row(const std::string& name, const ordered_json& layers) {
  std::string text = name;
  text.resize(22, ' ');
  for (const auto& value : layers) {
    char cell[16];
    std::snprintf(cell, sizeof(cell), " %9llu",
                  static_cast<unsigned long long>(value.get<std::uint64_t>()));
    text += cell;
  }
  return text + "\n";
}

std::string to_text(const UpdateParts& parts, const std::vector<Step>& steps) {
  std::string text = "one update, bytes\n";
  const ordered_json part_bytes = to_json(parts);
  for (const auto& [name, bytes] : part_bytes.items()) {
    text += "  " + name + std::string(16 - name.size(), ' ') + bytes.dump() + "\n";
  }
  text +=
      "\none device's round, bytes\n"
      "step                   datagrams      body      coap      dtls    ip+udp     total\n";
  for (const Step& step : steps) {
    text +=
        row(step.name + ", up", to_json(step.up)) + row(step.name + ", down", to_json(step.down));
  }
  return text;
}

}  // namespace

std::string measure_one_device(const RunOptions& options, bool as_json) {
  RunOptions one = options;
  one.devices = 1;
  const GatewayRun run(one);
  const wire::DeviceCredentials& credentials = run.credentials().front();
  Meter meter(credentials, run.port());
  meter.handshake();
  const Buffer plan = meter.get("plan", wire::kRoundPath, "", true);
  const Buffer model = meter.get("model", wire::kModelPath, "v=1", false);
  const demo::Task task = demo::make_task(plan, model);
  const Buffer update = run.update_of(0, task);
  meter.post("update", wire::kUpdatesPath, update);
  if (run.received() != 1) throw std::runtime_error("skepd does not have the update");

  Opener opener(run.directory(), task.plan);
  const UpdateParts parts = take_apart(update, opener, credentials);
  if (!as_json) return to_text(parts, meter.steps());
  ordered_json document{{"update_bytes", to_json(parts)}, {"round_bytes", ordered_json::object()}};
  for (const Step& step : meter.steps()) {
    document["round_bytes"][step.name] = {{"up", to_json(step.up)}, {"down", to_json(step.down)}};
  }
  return document.dump(2) + "\n";
}

}  // namespace skep::bench
