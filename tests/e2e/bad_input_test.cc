// Everything that a hostile or broken device may send to the running skepd, over real DTLS: each
// gets the response code of docs/reference/wire.md, and none changes the database.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "skep/config.h"
#include "skep/core/prng.h"
#include "skep/pki/certificate.h"
#include "skep/pki/federation.h"
#include "skep/seal/crypto.h"
#include "skep/seal/envelope.h"
#include "skep/wire/resources.h"
#include "skep/wire/response_code.h"
#include "support/gateway.h"
#include "support/test_client.h"
#include "support/updates.h"

namespace skep::e2e {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
// Their allocators keep freed memory for a while, and everything takes several times as long.
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

constexpr std::size_t kMebibyte = std::size_t{1} << 20U;

// Fields of SealedUpdate and UpdateHeader in proto/skep.proto.
constexpr std::uint32_t kHeader = 1;
constexpr std::uint32_t kEnc = 2;
constexpr std::uint32_t kCiphertext = 3;
constexpr std::uint32_t kSignature = 4;
constexpr std::uint32_t kHeaderVersion = 1;
constexpr std::uint32_t kHeaderFederation = 2;
constexpr std::uint32_t kHeaderDevice = 3;
constexpr std::uint32_t kHeaderNonce = 6;
constexpr std::uint32_t kHeaderFormat = 8;

Buffer random_bytes(std::size_t size, std::uint32_t seed) {
  Xorshift32 random(seed);
  Buffer bytes(size);
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random.next() >> 8U);
  return bytes;
}

wire::Receipt receipt_of(const Answer& answer) {
  const auto receipt = wire::decode_receipt(answer.payload);
  EXPECT_TRUE(receipt.ok()) << "the answer " << code_text(answer.code) << " has no receipt";
  return receipt.ok() ? *receipt : wire::Receipt{};
}

/// Gives a DeviceCredentials member of variable length the content `bytes`.
template <typename Field>
void assign(Field& field, Bytes bytes) {
  field.size = static_cast<decltype(field.size)>(bytes.size());
  std::ranges::copy(bytes, field.bytes);
}

class BadInput : public testing::Test {
 protected:
  BadInput() {
    EXPECT_EQ(seal::initialize_crypto(), Status::kOk);
    credentials_ = gateway_.enrol("bee");
    gateway_.start();
    client_ = connect(credentials_);
    task_ = fetch_task(*client_);
  }

  static std::unique_ptr<TestClient> connect(const wire::DeviceCredentials& credentials) {
    auto client = std::make_unique<TestClient>(credentials);
    EXPECT_TRUE(client->connect()) << credentials.device << " has no session";
    return client;
  }

  [[nodiscard]] seal::SigningKey key() const { return signing_key(credentials_); }
  [[nodiscard]] Buffer honest(std::uint32_t seed = 1) const {
    return make_update(task_, credentials_, seed);
  }
  [[nodiscard]] std::uint16_t port() const {
    return static_cast<std::uint16_t>(credentials_.gateway_port);
  }

  void expect_accepted(Bytes update, skep_ReceiptStatus status) {
    const Answer answer = client_->upload(update);
    EXPECT_EQ(code_text(answer.code), "2.04") << to_string(answer.problem());
    if (answer.code != wire::coap_code(2, 4)) return;
    const wire::Receipt receipt = receipt_of(answer);
    EXPECT_EQ(receipt.status, status);
    EXPECT_TRUE(std::ranges::equal(receipt.update_digest, *seal::sha256(update)));
  }

  /// The gateway refuses the body and stores nothing.
  void expect_refused(const std::string& what, Bytes body, const std::string& code, Status status) {
    SCOPED_TRACE(what);
    const auto before = gateway_.database_digest();
    const Answer answer = client_->upload(body);
    EXPECT_EQ(code_text(answer.code), code);
    EXPECT_EQ(to_string(answer.problem()), std::string(to_string(status)));
    EXPECT_EQ(gateway_.database_digest(), before);
  }

  void expect_header_refused(const std::string& what,
                             const std::function<void(wire::UpdateHeader&)>& edit,
                             const std::string& code, Status status) {
    expect_refused(what, with_header(honest(), edit, key()), code, status);
  }

  /// The gateway runs and serves.
  void expect_alive() {
    gateway_.check_alive();
    EXPECT_EQ(code_text(client_->get(wire::kRoundPath).code), "2.05");
  }

  /// It is the gateway that refuses, not the client that fails before it comes so far.
  static void expect_handshake_refused(const wire::DeviceCredentials& credentials) {
    TestClient client(credentials);
    EXPECT_FALSE(client.connect());
    EXPECT_TRUE(client.was_closed_by_gateway());
  }

  Gateway gateway_;
  wire::DeviceCredentials credentials_{};
  std::unique_ptr<TestClient> client_;
  Task task_;
};

// ---- bodies that are no SealedUpdate

TEST_F(BadInput, GarbageBodies) {
  for (const std::size_t size : {1U, 2U, 16U, 300U, 511U, 512U, 513U, 5000U}) {
    for (std::uint32_t seed = 1; seed <= 5; ++seed) {
      expect_refused(std::to_string(size) + " bytes", random_bytes(size, seed), "4.00",
                     Status::kMalformed);
    }
  }
  expect_refused("zeros", Buffer(100, 0), "4.00", Status::kMalformed);
  expect_refused("ones", Buffer(100, 0xFF), "4.00", Status::kMalformed);
  expect_accepted(honest(), skep_ReceiptStatus_RECEIPT_STATUS_ACCEPTED);
}

TEST_F(BadInput, EmptyBody) {
  const auto before = gateway_.database_digest();
  const Answer answer = client_->post_update({});
  EXPECT_EQ(code_text(answer.code), "4.00");
  EXPECT_EQ(answer.problem(), Status::kMalformed);
  EXPECT_EQ(gateway_.database_digest(), before);
}

TEST_F(BadInput, TruncatedUpdates) {
  const Buffer update = honest();
  const std::size_t last = update.size() - 1;
  for (const std::size_t length :
       {std::size_t{1}, std::size_t{2}, std::size_t{30}, std::size_t{60}, std::size_t{120},
        update.size() / 2, last - 64, last - 1, last}) {
    expect_refused(std::to_string(length) + " of " + std::to_string(update.size()) + " bytes",
                   Bytes(update).first(length), "4.00", Status::kMalformed);
  }
  Buffer longer = update;
  longer.push_back(0);
  expect_refused("a byte too many", longer, "4.00", Status::kMalformed);
  Buffer unknown_field = update;
  unknown_field.insert(unknown_field.end(), {0x28, 0x01});
  expect_refused("an unknown field", unknown_field, "4.00", Status::kMalformed);
  Buffer twice = update;
  twice.insert(twice.end(), update.begin(), update.end());
  expect_refused("every field twice", twice, "4.00", Status::kMalformed);
}

TEST_F(BadInput, WrongLengthsInEveryField) {
  using Edit = std::function<void(Field&)>;
  const std::vector<std::pair<std::string, Edit>> edits = {
      {"a byte less", [](Field& field) { field.bytes.pop_back(); }},
      {"a byte more", [](Field& field) { field.bytes.push_back('a'); }},
      {"empty", [](Field& field) { field.bytes.clear(); }},
      {"300 bytes", [](Field& field) { field.bytes.resize(300, 'a'); }}};
  const Buffer update = honest();
  for (const auto& [how, edit] : edits) {
    for (const std::uint32_t number : {kHeader, kEnc, kSignature}) {
      const Buffer changed = edit_field(update, number, edit);
      expect_refused("SealedUpdate field " + std::to_string(number) + ": " + how,
                     number == kSignature ? changed : sign_again(changed, key()), "4.00",
                     Status::kMalformed);
    }
    for (const std::uint32_t number : {kHeaderFederation, kHeaderNonce}) {
      const Buffer changed = edit_field(update, kHeader, [&](Field& header) {
        header.bytes = edit_field(header.bytes, number, edit);
      });
      expect_refused("UpdateHeader field " + std::to_string(number) + ": " + how,
                     sign_again(changed, key()), "4.00", Status::kMalformed);
    }
  }
  for (const std::size_t length : {0U, 33U, 200U}) {
    const Buffer changed = edit_field(update, kHeader, [&](Field& header) {
      header.bytes = edit_field(header.bytes, kHeaderDevice,
                                [&](Field& device) { device.bytes.assign(length, 'a'); });
    });
    expect_refused("a name of " + std::to_string(length), sign_again(changed, key()), "4.00",
                   Status::kMalformed);
  }
}

TEST_F(BadInput, WrongLengthsOfWhatIsEncrypted) {
  const Buffer update = honest();
  const auto with_ciphertext = [&](const std::function<void(Buffer&)>& edit) {
    return sign_again(edit_field(update, kCiphertext, [&](Field& field) { edit(field.bytes); }),
                      key());
  };
  expect_refused("a byte less", with_ciphertext([](Buffer& bytes) { bytes.pop_back(); }), "4.00",
                 Status::kUndecryptable);
  expect_refused("a byte more", with_ciphertext([](Buffer& bytes) { bytes.push_back(0); }), "4.00",
                 Status::kUndecryptable);
  expect_refused("a flipped bit", with_ciphertext([](Buffer& bytes) { bytes[7] ^= 1; }), "4.00",
                 Status::kUndecryptable);
  expect_refused("only a tag", with_ciphertext([](Buffer& bytes) { bytes.resize(16); }), "4.00",
                 Status::kMalformed);
  expect_refused("empty", with_ciphertext([](Buffer& bytes) { bytes.clear(); }), "4.00",
                 Status::kMalformed);
  const Buffer x25519 =
      edit_field(update, kEnc, [](Field& field) { field.bytes.resize(wire::kX25519KeyBytes); });
  expect_refused("an encapsulated key of the other curve", sign_again(x25519, key()), "4.00",
                 Status::kUndecryptable);
  // Lengths in the plaintext are only seen by who has the aggregation key.
  for (const std::size_t length : {1U, 20U, 3000U}) {
    expect_refused("garbage of " + std::to_string(length) + " bytes, well encrypted",
                   seal_plaintext(task_, update, random_bytes(length, 3), key()), "4.00",
                   Status::kMalformed);
  }
  expect_refused("an unknown version, well encrypted",
                 seal_plaintext(task_, update, Buffer{0x08, 0x02}, key()), "4.00",
                 Status::kUnsupportedVersion);
}

TEST_F(BadInput, UnknownVersions) {
  const auto with_header_number = [&](std::uint32_t number, std::uint64_t value) {
    const Buffer changed = edit_field(honest(), kHeader, [&](Field& header) {
      header.bytes = edit_field(header.bytes, number, [&](Field& field) { field.value = value; });
    });
    return sign_again(changed, key());
  };
  for (const std::uint64_t version : {2U, 127U, 128U, 0xFFFF'FFFFU}) {
    expect_refused("version " + std::to_string(version),
                   with_header_number(kHeaderVersion, version), "4.00",
                   Status::kUnsupportedVersion);
  }
  expect_refused("format 2", with_header_number(kHeaderFormat, 2), "4.00", Status::kUnsupported);
}

// ---- sizes

TEST_F(BadInput, AnnouncedTooLarge) {
  const auto before = gateway_.database_digest();
  for (const std::uint32_t size : {kMaxUpdateBytes + 1, 1U << 24U, 0xFFFF'FFFFU}) {
    const Answer answer = client_->post_block({.number = 0, .more = true}, random_bytes(512, 1),
                                              {number_option(COAP_OPTION_SIZE1, size)});
    EXPECT_EQ(code_text(answer.code), "4.13") << size;
    EXPECT_EQ(answer.problem(), Status::kTooLarge);
  }
  EXPECT_EQ(gateway_.database_digest(), before);
  expect_accepted(honest(), skep_ReceiptStatus_RECEIPT_STATUS_ACCEPTED);
}

TEST_F(BadInput, TenTimesTooManyBlocks) {
  const auto before = gateway_.database_digest();
  const Buffer data = random_bytes(512, 1);
  const std::uint32_t most = kMaxUpdateBytes / 512;
  std::map<std::string, std::uint32_t> codes;
  for (std::uint32_t i = 0; i < 10 * most; ++i) {
    ++codes[code_text(client_->post_block({.number = i, .more = true}, data).code)];
  }
  EXPECT_EQ(codes, (std::map<std::string, std::uint32_t>{{"2.31", most}, {"4.13", 9 * most}}));
  EXPECT_EQ(gateway_.database_digest(), before);
  expect_accepted(honest(), skep_ReceiptStatus_RECEIPT_STATUS_ACCEPTED);
}

TEST_F(BadInput, GapsAndOddBlocks) {
  const auto before = gateway_.database_digest();
  const Buffer data = random_bytes(512, 1);
  EXPECT_EQ(code_text(client_->post_block({.number = 0, .more = true}, data).code), "2.31");
  EXPECT_EQ(code_text(client_->post_block({.number = 2, .more = true}, data).code), "4.08");
  EXPECT_EQ(code_text(client_->post_block({.number = 1, .more = true}, data).code), "4.08")
      << "the upload is over";
  EXPECT_EQ(code_text(client_->post_block({.number = 7}, data).code), "4.08") << "never begun";
  EXPECT_EQ(code_text(client_->post_block({.number = 0, .more = true, .szx = 7}, data).code),
            "4.00")
      << "a reserved size";
  EXPECT_EQ(gateway_.database_digest(), before);
  expect_accepted(honest(), skep_ReceiptStatus_RECEIPT_STATUS_ACCEPTED);
}

TEST_F(BadInput, RequestsForOtherThings) {
  const auto before = gateway_.database_digest();
  EXPECT_EQ(code_text(client_->get("skep/v1/secrets").code), "4.04");
  EXPECT_EQ(code_text(client_->get("skep/v2/round").code), "4.04");
  EXPECT_EQ(code_text(client_->get(wire::kUpdatesPath).code), "4.05");
  EXPECT_EQ(code_text(client_->get(wire::kModelPath, "v=2").code), "4.04");
  for (const char* query : {"", "v=", "v=0", "v=01", "v=-1", "v=4294967296", "v=1&v=1", "w=1"}) {
    EXPECT_EQ(code_text(client_->get(wire::kModelPath, query).code), "4.00") << query;
  }
  EXPECT_EQ(gateway_.database_digest(), before);
}

// ---- who sends

TEST_F(BadInput, WrongSignatures) {
  const Buffer update = honest();
  const auto flip = [&](std::uint32_t number) {
    return edit_field(update, number, [](Field& field) { field.bytes.back() ^= 1; });
  };
  expect_refused("a flipped bit in the signature", flip(kSignature), "4.03", Status::kBadSignature);
  expect_refused("a flipped bit in the ciphertext", flip(kCiphertext), "4.03",
                 Status::kBadSignature);
  expect_refused("a flipped bit in enc", flip(kEnc), "4.03", Status::kBadSignature);
  expect_refused(
      "a signature of zeros",
      edit_field(update, kSignature, [](Field& field) { std::ranges::fill(field.bytes, 0); }),
      "4.03", Status::kBadSignature);
  expect_refused("another round, not signed again",
                 edit_field(update, kHeader,
                            [](Field& header) {
                              header.bytes =
                                  edit_field(header.bytes, 4, [](Field& round) { ++round.value; });
                            }),
                 "4.03", Status::kBadSignature);
  const auto stranger = seal::SigningKey::generate();
  ASSERT_TRUE(stranger.ok());
  expect_refused("the key of a stranger", sign_again(update, *stranger), "4.03",
                 Status::kBadSignature);
}

TEST_F(BadInput, AnotherDevicesUpdate) {
  const wire::DeviceCredentials other = gateway_.enrol("wasp");
  expect_refused("made and signed by wasp, sent by bee", make_update(task_, other), "4.03",
                 Status::kWrongDevice);
  expect_header_refused(
      "bee says that it is wasp",
      [](wire::UpdateHeader& header) {
        std::ranges::copy(std::string("wasp\0", 5), header.device);
      },
      "4.03", Status::kWrongDevice);
  wire::DeviceCredentials wrong_key = credentials_;
  std::ranges::copy(other.device_private_key, wrong_key.device_private_key);
  expect_refused("signed with the key of wasp", make_update(task_, wrong_key), "4.03",
                 Status::kBadSignature);
  // Whatever was refused does not stand in the way of wasp.
  client_ = connect(other);
  expect_accepted(make_update(task_, other), skep_ReceiptStatus_RECEIPT_STATUS_ACCEPTED);
}

TEST_F(BadInput, AnotherFederationsUpdate) {
  expect_header_refused(
      "another federation", [](wire::UpdateHeader& header) { header.federation[0] ^= 1; }, "4.03",
      Status::kWrongFederation);
}

// The whole of it: revocation_test.cc.
TEST_F(BadInput, RevokedDevice) {
  const Buffer update = honest();
  gateway_.revoke("bee");
  const auto before = gateway_.database_digest();
  const Answer answer = client_->upload(update);
  // It depends on the moment whether the gateway answers, or has closed the session before.
  if (answer.code != 0) {
    EXPECT_EQ(code_text(answer.code), "4.03");
    EXPECT_EQ(answer.problem(), Status::kRevoked);
  } else {
    EXPECT_TRUE(client_->was_closed_by_gateway());
  }
  EXPECT_EQ(gateway_.database_digest(), before);
  EXPECT_TRUE(gateway_.stored_updates(task_.plan.round).empty());
  client_ = connect(gateway_.enrol("wasp"));
  expect_alive();
}

// ---- certificates

TEST_F(BadInput, CertificatesThatTheFederationDidNotSign) {
  const auto before = gateway_.database_digest();
  const pki::PrivateKey ca_key = pki::PrivateKey::generate();
  // Even with the name of the right CA.
  const pki::FederationPaths paths{gateway_.directory()};
  const auto ca = pki::issue_ca(ca_key, pki::load_certificate(paths.ca_certificate()).common_name);
  const pki::PrivateKey key = pki::PrivateKey::generate();
  const auto certificate = pki::issue_device(ca, ca_key, key.public_key(), "bee");
  wire::DeviceCredentials forged = credentials_;
  assign(forged.device_certificate, certificate.der);
  std::ranges::copy(key.scalar(), forged.device_private_key);
  expect_handshake_refused(forged);

  wire::DeviceCredentials server = credentials_;
  assign(server.device_certificate, pki::load_certificate(paths.gateway_certificate()).der);
  std::ranges::copy(pki::PrivateKey::load(paths.gateway_key()).scalar(), server.device_private_key);
  expect_handshake_refused(server);  // a certificate for gateways
  EXPECT_EQ(gateway_.database_digest(), before);
  expect_alive();
}

TEST_F(BadInput, CertificateWithoutItsKey) {
  const auto before = gateway_.database_digest();
  wire::DeviceCredentials thief = credentials_;
  std::ranges::copy(pki::PrivateKey::generate().scalar(), thief.device_private_key);
  // Mbed TLS sends no alert about a proof of possession that does not verify, so the client would
  // go on asking for half a minute.
  EXPECT_FALSE(TestClient(thief).connect(/*limit_s=*/5));
  EXPECT_NE(gateway_.log().find("DTLS handshake or session of"), std::string::npos);
  EXPECT_EQ(gateway_.database_digest(), before);
  expect_alive();
}

TEST_F(BadInput, CertificatesOfTheRightCaThatAreNotEnrolled) {
  const auto before = gateway_.database_digest();
  const pki::FederationPaths paths{gateway_.directory()};
  const auto ca = pki::load_certificate(paths.ca_certificate());
  const auto ca_key = pki::PrivateKey::load(paths.ca_key());
  // "bee" is enrolled, with another key.
  for (const char* name : {"nobody", "bee"}) {
    const pki::PrivateKey key = pki::PrivateKey::generate();
    wire::DeviceCredentials stranger = credentials_;
    std::ranges::copy(std::string(name) + '\0', stranger.device);
    assign(stranger.device_certificate, pki::issue_device(ca, ca_key, key.public_key(), name).der);
    std::ranges::copy(key.scalar(), stranger.device_private_key);
    TestClient client(stranger);
    if (!client.connect()) continue;
    const std::string code = code_text(client.upload(make_update(task_, stranger)).code);
    EXPECT_TRUE(code == "4.03" || (code == "none" && client.is_lost())) << name << ": " << code;
  }
  EXPECT_EQ(gateway_.database_digest(), before);
  expect_alive();
}

// ---- rounds

TEST_F(BadInput, ReplayAndSecondUpdate) {
  const Buffer update = honest();
  expect_accepted(update, skep_ReceiptStatus_RECEIPT_STATUS_ACCEPTED);
  const auto before = gateway_.database_digest();
  expect_accepted(update, skep_ReceiptStatus_RECEIPT_STATUS_DUPLICATE);
  client_ = connect(credentials_);
  expect_accepted(update, skep_ReceiptStatus_RECEIPT_STATUS_DUPLICATE);
  EXPECT_EQ(gateway_.database_digest(), before);

  expect_refused("other samples", honest(2), "4.09", Status::kAlreadyAnswered);
  expect_refused("the same samples, sealed again", honest(), "4.09", Status::kAlreadyAnswered);
  expect_refused("the same ciphertext, signed for another key id",
                 with_header(
                     update, [](wire::UpdateHeader& header) { ++header.key_id; }, key()),
                 "4.09", Status::kAlreadyAnswered);
}

TEST_F(BadInput, UpdatesForAnotherRound) {
  const Buffer stored = honest(1);
  const Buffer late = honest(2);
  const wire::DeviceCredentials other = gateway_.enrol("wasp");
  const Buffer never_sent = make_update(task_, other);
  expect_accepted(stored, skep_ReceiptStatus_RECEIPT_STATUS_ACCEPTED);
  gateway_.finish_round();
  const Task next = fetch_task(*client_);
  ASSERT_EQ(next.plan.round, task_.plan.round + 1);

  // A device that did not hear the answer asks again, at any later time: it is told that it is
  // stored, for its round, and nothing is counted again (design.md, section 5).
  const auto before = gateway_.database_digest();
  const Answer replay = client_->upload(stored);
  EXPECT_EQ(code_text(replay.code), "2.04");
  EXPECT_EQ(receipt_of(replay).status, skep_ReceiptStatus_RECEIPT_STATUS_DUPLICATE);
  EXPECT_EQ(receipt_of(replay).round, task_.plan.round);
  EXPECT_EQ(gateway_.database_digest(), before);

  expect_refused("another update for the last round", late, "4.09", Status::kWrongRound);
  expect_refused(
      "the recorded upload, signed for the open round",
      with_header(
          stored, [&](wire::UpdateHeader& header) { header.round = next.plan.round; }, key()),
      "4.01", Status::kWrongNonce);
  const auto renamed = [&](std::uint32_t round) {
    return with_header(
        stored, [&](wire::UpdateHeader& header) { header.round = round; }, key());
  };
  expect_refused("a future round", renamed(next.plan.round + 1), "4.09", Status::kWrongRound);
  expect_refused("the last of all rounds", renamed(0xFFFF'FFFF), "4.09", Status::kWrongRound);
  client_ = connect(other);
  expect_refused("the first update of wasp, too late", never_sent, "4.09", Status::kWrongRound);
}

TEST_F(BadInput, NotWhatThePlanSays) {
  expect_header_refused(
      "nonce", [](wire::UpdateHeader& header) { header.nonce[15] ^= 1; }, "4.01",
      Status::kWrongNonce);
  expect_header_refused(
      "base version", [](wire::UpdateHeader& header) { ++header.base_version; }, "4.09",
      Status::kWrongBase);
  expect_header_refused(
      "key id", [](wire::UpdateHeader& header) { ++header.key_id; }, "4.00",
      Status::kUndecryptable);
  Task task = task_;
  task.plan.base_digest[0] ^= 1;
  expect_refused("base digest", make_update(task, credentials_), "4.09", Status::kWrongBase);

  task = task_;
  const auto other_key = seal::AggregationKey::generate(seal::Kem::kP256HkdfSha256);
  ASSERT_TRUE(other_key.ok());
  assign(task.plan.aggregation_key, other_key->public_key());
  expect_refused("sealed to another key", make_update(task, credentials_), "4.00",
                 Status::kUndecryptable);

  task = task_;
  task.plan.keep_permille *= 2;
  expect_refused("more elements", make_update(task, credentials_), "4.00", Status::kMalformed);
  task = task_;
  task.plan.value_bits += 1;
  expect_refused("more bits", make_update(task, credentials_), "4.00", Status::kMalformed);
  task = task_;
  task.plan.compression = skep_Compression_COMPRESSION_TERNARY;
  task.plan.value_bits = 0;
  expect_refused("another compression", make_update(task, credentials_), "4.00",
                 Status::kMalformed);
  expect_accepted(honest(), skep_ReceiptStatus_RECEIPT_STATUS_ACCEPTED);
}

class TightClipNorm : public BadInput {
 protected:
  TightClipNorm() {
    client_.reset();
    strict_ = std::make_unique<Gateway>(/*clip_norm=*/0.01);
    credentials_ = strict_->enrol("bee");
    strict_->start();
    client_ = connect(credentials_);
    task_ = fetch_task(*client_);
  }
  std::unique_ptr<Gateway> strict_;
};

TEST_F(TightClipNorm, UpdateAboveTheClipNorm) {
  Task task = task_;
  task.plan.clip_norm_q16 = 8U << 16U;
  const auto before = strict_->database_digest();
  const Answer answer = client_->upload(make_update(task, credentials_));
  EXPECT_EQ(code_text(answer.code), "4.22");
  EXPECT_EQ(answer.problem(), Status::kNormExceeded);
  EXPECT_EQ(strict_->database_digest(), before);
  expect_accepted(honest(), skep_ReceiptStatus_RECEIPT_STATUS_ACCEPTED);
}

// ---- datagrams

TEST_F(BadInput, PlainCoapGetsNoAnswer) {
  const auto before = gateway_.database_digest();
  UdpSender udp(port());
  const std::string path = "round";
  Buffer get = {0x41, 0x01, 0x00, 0x01, 0x07, 0xB4, 's', 'k', 'e', 'p', 0x02, 'v', '1', 0x05};
  get.insert(get.end(), path.begin(), path.end());
  udp.send(get);
  get[0] = 0x51;  // non-confirmable
  udp.send(get);
  udp.send(Buffer{0x40, 0x00, 0x12, 0x34});  // CoAP ping
  udp.send(Buffer{0x41, 0x01, 0x00, 0x02, 0x07, 0xBB, '.',  'w', 'e', 'l', 'l',
                  '-',  'k',  'n',  'o',  'w',  'n',  0x04, 'c', 'o', 'r', 'e'});
  // The gateway takes datagrams one by one: after this answer it has taken those above.
  expect_alive();
  EXPECT_EQ(udp.received_bytes(), 0U);
  EXPECT_EQ(gateway_.database_digest(), before);
}

TEST_F(BadInput, TenThousandGarbageDatagrams) {
  const auto before = gateway_.database_digest();
  constexpr std::uint32_t kDatagrams = 10'000;
  UdpSender garbage(port());
  UdpSender almost_dtls(port());
  std::size_t sent_bytes = 0;
  Xorshift32 random(7);
  for (std::uint32_t i = 0; i < kDatagrams; ++i) {
    Buffer datagram = random_bytes(1 + random.next() % 1400, i + 1);
    if (i % 2 == 0) {
      // 20 … 25 are DTLS' own (RFC 7983), and come below.
      if (datagram[0] >= 20 && datagram[0] <= 25) datagram[0] = 0x40;
      garbage.send(datagram);
    } else {
      // A record of DTLS 1.2 with a right length, and a handshake message as often as not.
      datagram.resize(std::max<std::size_t>(datagram.size(), 26));
      const std::size_t length = datagram.size() - 13;
      const Buffer start = {static_cast<std::uint8_t>(20 + i % 6),
                            0xFE,
                            0xFD,
                            0,
                            0,
                            0,
                            0,
                            0,
                            0,
                            0,
                            0,
                            static_cast<std::uint8_t>(length >> 8U),
                            static_cast<std::uint8_t>(length),
                            1};
      std::ranges::copy(start, datagram.begin());
      almost_dtls.send(datagram);
      sent_bytes += datagram.size();
    }
    // Not more at once than a socket's buffer holds.
    if (i % 64 == 63) expect_alive();
  }
  expect_alive();
  EXPECT_EQ(garbage.received_bytes(), 0U);
  EXPECT_LE(almost_dtls.received_bytes(), sent_bytes) << "an amplifier";
  EXPECT_EQ(gateway_.database_digest(), before);
  client_ = connect(credentials_);
  expect_accepted(honest(), skep_ReceiptStatus_RECEIPT_STATUS_ACCEPTED);
}

// https://github.com/obgm/libcoap/issues/1642: one 48-byte datagram with a block that has the More
// bit, and covers all that was announced, killed a server that lets libcoap put bodies together.
TEST_F(BadInput, TheDatagramOfLibcoap1642) {
  const auto before = gateway_.database_digest();
  for (std::uint8_t block = 0; block < 4; ++block) {
    // Confirmable POST, token of 5, path skep/v1/updates, Block1 of 16 bytes, Size1 = 16.
    Buffer datagram = {0x45, 0x02, 0x7A, block, 1,    2,   3,   4,   5,   0xB4, 's', 'k', 'e',
                       'p',  0x02, 'v',  '1',   0x07, 'u', 'p', 'd', 'a', 't',  'e', 's'};
    datagram.insert(datagram.end(), {0xD1, 0x03, static_cast<std::uint8_t>(block << 4U | 8U)});
    datagram.insert(datagram.end(), {0xD1, 0x14, 16, 0xFF});
    datagram.resize(48, 'x');
    client_->send_record(datagram);
    expect_alive();
  }
  EXPECT_EQ(gateway_.database_digest(), before);
  expect_accepted(honest(), skep_ReceiptStatus_RECEIPT_STATUS_ACCEPTED);
}

TEST_F(BadInput, GarbageInsideOfASession) {
  const auto before = gateway_.database_digest();
  for (std::uint32_t seed = 1; seed <= 1000; ++seed) {
    client_->send_record(random_bytes(1 + seed % 600, seed));
    if (seed % 32 == 0) client_->poll(0);
  }
  // A random datagram may be a CoAP message that ends the session or is owed an answer; what
  // counts is that others are served.
  client_ = connect(credentials_);
  expect_alive();
  EXPECT_EQ(gateway_.database_digest(), before);
}

// ---- memory

// Growth of what skepd holds while `step` is repeated, after it has been warmed up.
template <typename Step>
void expect_flat_memory(const Gateway& gateway, int warm_up, int total, std::size_t bound_bytes,
                        Step step) {
  for (int i = 0; i < warm_up; ++i) step(i);
  const std::size_t warm = gateway.resident_bytes();
  for (int i = warm_up; i < total; ++i) step(i);
  const std::size_t end = gateway.resident_bytes();
  ::testing::Test::RecordProperty("warm_bytes", std::to_string(warm));
  ::testing::Test::RecordProperty("end_bytes", std::to_string(end));
  std::printf("VmRSS: %zu KiB warm, %zu KiB at the end\n", warm / 1024, end / 1024);
  if (kSanitized) return;
  EXPECT_LE(end, warm + bound_bytes);
}

// Each step is one request of at least 512 bytes. If one in two leaked its body, or its PDU, which
// is as long, the 9,000 after the warm-up would add 2.2 MiB; a leaked session, token or log line
// for each adds less but not under 233 bytes a request. 2 MiB leaves room for what an allocator
// does with threads that come to work at other moments.
TEST_F(BadInput, MemoryIsFlatOverTenThousandBadRequests) {
  const auto before = gateway_.database_digest();
  const Buffer update = honest();
  const Buffer unsigned_update =
      edit_field(update, kSignature, [](Field& field) { field.bytes[9] ^= 1; });
  const Buffer wrong_nonce = with_header(
      update, [](wire::UpdateHeader& header) { header.nonce[0] ^= 1; }, key());
  const Buffer garbage = random_bytes(900, 5);
  std::map<std::string, int> codes;
  expect_flat_memory(gateway_, 1'000, 10'000, 2 * kMebibyte, [&](int i) {
    switch (i % 5) {
      case 0:
        ++codes["garbage " + code_text(client_->post_update(garbage).code)];
        break;
      case 1:
        ++codes["signature " + code_text(client_->post_update(unsigned_update).code)];
        break;
      case 2:
        ++codes["nonce " + code_text(client_->post_update(wrong_nonce).code)];
        break;
      case 3:
        ++codes["gap " + code_text(client_->post_block({.number = 5}, garbage).code)];
        break;
      default:
        ++codes["size " + code_text(client_
                                        ->post_block({.more = true}, Bytes(garbage).first(512),
                                                     {number_option(COAP_OPTION_SIZE1, 1U << 20U)})
                                        .code)];
        break;
    }
  });
  EXPECT_EQ(codes, (std::map<std::string, int>{{"garbage 4.00", 2'000},
                                               {"signature 4.03", 2'000},
                                               {"nonce 4.01", 2'000},
                                               {"gap 4.08", 2'000},
                                               {"size 4.13", 2'000}}));
  EXPECT_EQ(gateway_.database_digest(), before);
  expect_accepted(update, skep_ReceiptStatus_RECEIPT_STATUS_ACCEPTED);
}

// That the two tests above and below measure something: what 80 sessions hold is seen.
TEST_F(BadInput, HeldUploadsAreSeenInTheMemory) {
  constexpr std::size_t kDevices = 20;
  constexpr std::size_t kSessionsPerDevice = 4;  // skepd closes older ones
  constexpr std::uint32_t kBlocks = 63;          // of 1 KiB: one less than the largest update
  const Buffer data = random_bytes(1024, 1);
  const std::size_t before = gateway_.resident_bytes();
  std::vector<std::unique_ptr<TestClient>> clients;
  for (std::size_t device = 0; device < kDevices; ++device) {
    const auto credentials = gateway_.enrol("wasp-" + std::to_string(device));
    for (std::size_t i = 0; i < kSessionsPerDevice; ++i) {
      clients.push_back(connect(credentials));
      for (std::uint32_t block = 0; block < kBlocks; ++block) {
        const Answer answer =
            clients.back()->post_block({.number = block, .more = true, .szx = 6}, data);
        ASSERT_EQ(code_text(answer.code), "2.31");
      }
    }
  }
  EXPECT_GE(gateway_.resident_bytes(), before + kDevices * kSessionsPerDevice * kBlocks * 1024);
}

// Each of the 450 sessions after the warm-up leaves 16 KiB behind: 7 MiB, if it were not freed
// with the session.
TEST_F(BadInput, AbandonedUploadsAreFreed) {
  const auto before = gateway_.database_digest();
  const Buffer data = random_bytes(1024, 1);
  expect_flat_memory(gateway_, 50, kSanitized ? 100 : 500, 2 * kMebibyte, [&](int /*i*/) {
    const auto client = connect(credentials_);
    for (std::uint32_t block = 0; block < 16; ++block) {
      const Answer answer = client->post_block({.number = block, .more = true, .szx = 6}, data);
      ASSERT_EQ(code_text(answer.code), "2.31");
    }
  });
  EXPECT_EQ(gateway_.database_digest(), before);
  client_ = connect(credentials_);
  expect_accepted(honest(), skep_ReceiptStatus_RECEIPT_STATUS_ACCEPTED);
}

// ---- crashes

TEST_F(BadInput, KilledWhileUploadsAreInFlight) {
  constexpr std::size_t kDevices = 8;
  std::size_t acknowledged_in_all = 0;
  for (const std::size_t kill_after : {0U, 1U, 3U, 6U}) {
    SCOPED_TRACE("killed after " + std::to_string(kill_after) + " answers");
    std::vector<std::unique_ptr<TestClient>> clients;
    std::vector<Buffer> updates;
    std::vector<std::string> names;
    for (std::size_t i = 0; i < kDevices; ++i) {
      names.push_back("bee-" + std::to_string(kill_after) + "-" + std::to_string(i));
      const auto credentials = gateway_.enrol(names[i]);
      updates.push_back(make_update(task_, credentials));
      clients.push_back(connect(credentials));
      ASSERT_TRUE(clients[i]->upload_but_last_block(updates[i]));
    }
    for (std::size_t i = 0; i < kDevices; ++i) clients[i]->send_last_block(updates[i]);
    const auto answered = [&] {
      return static_cast<std::size_t>(std::ranges::count_if(
          clients, [](const auto& client) { return client->answer().has_value(); }));
    };
    for (int i = 0; i < 100'000 && answered() < kill_after; ++i) {
      for (const auto& client : clients) {
        if (answered() < kill_after) client->poll(1);
      }
    }
    EXPECT_GE(answered(), kill_after);
    gateway_.kill();

    // An answer that is on its way already is an acknowledgement too.
    for (const auto& client : clients) client->poll(1);
    gateway_.start();
    const auto stored = gateway_.stored_updates(task_.plan.round);
    for (std::size_t i = 0; i < kDevices; ++i) {
      if (!clients[i]->answer()) continue;
      ASSERT_EQ(code_text(clients[i]->answer()->code), "2.04");
      ++acknowledged_in_all;
      const auto found = stored.find(names[i]);
      ASSERT_NE(found, stored.end()) << names[i] << " was told that its update is stored";
      EXPECT_EQ(found->second, *seal::sha256(updates[i]));
    }
  }
  EXPECT_GE(acknowledged_in_all, 10U);
  client_ = connect(credentials_);
  expect_accepted(honest(), skep_ReceiptStatus_RECEIPT_STATUS_ACCEPTED);
}

}  // namespace
}  // namespace skep::e2e
