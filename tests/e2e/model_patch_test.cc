// Devices that fetch what is new in a model only, from the real skepd over real DTLS.
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "skep/demo/federated_data.h"
#include "skep/demo/federation.h"
#include "skep/process/process.h"
#include "skep/seal/crypto.h"
#include "skep/wire/patch_reader.h"
#include "skep/wire/resources.h"
#include "skep/wire/response_code.h"
#include "support/gateway.h"
#include "support/test_client.h"
#include "support/watched_device.h"

namespace skep::e2e {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using round::EventKind;

constexpr std::uint32_t kSeed = 31;

bool is_patch(const Buffer& download) { return download.at(0) == wire::kModelPatchFirstByte; }

class ModelPatch : public testing::Test {
 protected:
  ModelPatch() {
    EXPECT_EQ(seal::initialize_crypto(), Status::kOk);
    credentials_ = gateway_.enrol("bee");
    device_.emplace(credentials_, made_up_digits(60, kSeed), kSeed);
    other_.emplace(gateway_.enrol("wasp"), made_up_digits(60, kSeed + 1), kSeed + 1);
    gateway_.start();
  }

  /// `device` takes part in the round on `version`, and the gateway makes the next version of it.
  void learn(WatchedDevice& device, std::uint32_t version) {
    ASSERT_TRUE(device.run_until_update_on(version)) << gateway_.log();
    gateway_.finish_round();
  }

  [[nodiscard]] json downloads() const {
    return gateway_.operate({"round", "status"}).at("downloads");
  }

  Gateway gateway_;
  wire::DeviceCredentials credentials_{};
  std::optional<WatchedDevice> device_;
  std::optional<WatchedDevice> other_;
};

// The gateway refuses updates whose base has another digest than the version that they name: a
// device whose update is accepted trained on the very weights.
TEST_F(ModelPatch, DeviceFetchesWhatIsNewOnly) {
  for (std::uint32_t version = 1; version <= 4; ++version) learn(*device_, version);
  const std::vector<Buffer>& bodies = device_->downloads();
  ASSERT_EQ(bodies.size(), 4U);
  EXPECT_FALSE(is_patch(bodies[0]));
  std::size_t patch_bytes = 0;
  for (std::size_t i = 1; i < 4; ++i) {
    EXPECT_TRUE(is_patch(bodies[i]));
    EXPECT_LT(bodies[i].size(), bodies[0].size() / 2);
    patch_bytes += bodies[i].size();
  }
  EXPECT_EQ(device_->count(EventKind::kPatchRefused), 0U);
  EXPECT_EQ(device_->count(EventKind::kUpdateAccepted), 4U);
  const json sent = downloads();
  EXPECT_EQ(sent.at("packages"), 1);
  EXPECT_EQ(sent.at("package_bytes"), bodies[0].size());
  EXPECT_EQ(sent.at("patches"), 3);
  EXPECT_EQ(sent.at("patch_bytes"), patch_bytes);
}

TEST_F(ModelPatch, ChangedBitIsRefusedAndTheWholeModelIsFetched) {
  learn(*device_, 1);
  std::uint32_t version = 2;
  std::size_t refused = 0;
  // In the base version, in the manifest, in the signature, in the difference.
  for (const std::uint32_t byte : {3U, 60U, 250U, 420U, 600U}) {
    SCOPED_TRACE(byte);
    const std::size_t before = device_->downloads().size();
    device_->flip_bit_of_next_patch(byte, 2);
    learn(*device_, version);
    ++refused;
    EXPECT_EQ(device_->count(EventKind::kPatchRefused), refused);
    EXPECT_NE(device_->last_status(EventKind::kPatchRefused), Status::kOk);
    EXPECT_GT(device_->downloads().size(), before);
    EXPECT_FALSE(is_patch(device_->downloads().back()));
    ++version;
  }
  EXPECT_EQ(device_->count(EventKind::kModelRefused), 0U);
  learn(*device_, version);
  EXPECT_TRUE(is_patch(device_->downloads().back())) << "the next one is a patch again";
  EXPECT_EQ(device_->count(EventKind::kPatchRefused), refused);
}

TEST_F(ModelPatch, SleeperGetsOnePatchForTwoVersions) {
  learn(*device_, 1);
  learn(*other_, 2);
  learn(*other_, 3);
  learn(*device_, 4);
  EXPECT_EQ(device_->downloads().size(), 2U);
  EXPECT_TRUE(is_patch(device_->downloads().back()));
  EXPECT_EQ(wire::decode_model_patch(device_->downloads().back())->base_version, 1U);
}

TEST_F(ModelPatch, RollbackTravelsAsAPatch) {
  learn(*device_, 1);
  learn(*device_, 2);
  gateway_.roll_back(1);  // version 3 is served, then 4
  learn(*device_, 4);
  const auto patch = wire::decode_model_patch(device_->downloads().back());
  ASSERT_TRUE(patch.ok());
  EXPECT_EQ(patch->base_version, 2U);
  EXPECT_EQ(wire::decode_model_manifest(patch->manifest)->rolls_back_to, 1U);
  EXPECT_EQ(gateway_.operate({"model", "show", "4"}).at("weights_sha256"),
            gateway_.operate({"model", "show", "1"}).at("weights_sha256"));
}

// What the gateway remembers of an old version is damaged: devices find out, and do without.
class DamagedBase : public ModelPatch {
 protected:
  /// The device has version 1, the gateway serves version 2, and what it has of version 1 changes.
  void damage(const std::string& package_expression) {
    learn(*device_, 1);
    gateway_.stop();
    sqlite3* database = nullptr;
    const std::string sql =
        "UPDATE models SET package = " + package_expression + " WHERE version = 1";
    ASSERT_EQ(sqlite3_open((gateway_.directory() / "skep.db").c_str(), &database), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
        << sqlite3_errmsg(database);
    EXPECT_EQ(sqlite3_changes(database), 1);
    sqlite3_close(database);
    gateway_.start();
  }
};

TEST_F(DamagedBase, PatchOfOtherWeightsIsRefusedByItsDigest) {
  damage("CAST(substr(package, 1, length(package) - 400) || zeroblob(400) AS BLOB)");
  learn(*device_, 2);
  EXPECT_EQ(device_->last_status(EventKind::kPatchRefused), Status::kBadDigest);
  EXPECT_EQ(device_->count(EventKind::kPatchRefused), 1U);
  EXPECT_FALSE(is_patch(device_->downloads().back()));
}

TEST_F(DamagedBase, NoPatchIsMadeOfWhatIsNoPackage) {
  damage("zeroblob(100)");
  learn(*device_, 2);
  EXPECT_EQ(device_->count(EventKind::kPatchRefused), 0U);
  EXPECT_EQ(device_->downloads().size(), 2U);
  EXPECT_FALSE(is_patch(device_->downloads().back()));
  EXPECT_NE(gateway_.log().find("no patch from version 1"), std::string::npos);
}

// ---- The resource

class ModelResource : public ModelPatch {
 protected:
  ModelResource() {
    learn(*device_, 1);
    learn(*device_, 2);  // 3 is served
    client_ = std::make_unique<TestClient>(credentials_);
    EXPECT_TRUE(client_->connect());
  }

  Answer get(const std::string& version, const std::string& from,
             std::vector<Option> options = {}) {
    Message message{
        .path = wire::kModelPath, .query = version, .options = std::move(options), .payload = {}};
    if (!from.empty()) {
      message.options.push_back({COAP_OPTION_URI_QUERY, Buffer(from.begin(), from.end())});
    }
    return client_->request(message);
  }

  static bool is_patch_block(const Answer& answer) {
    return code_text(answer.code) == "2.05" && is_patch(answer.payload);
  }
  static bool is_package_block(const Answer& answer) {
    return code_text(answer.code) == "2.05" && answer.payload.at(0) == 0x0A;
  }

  [[nodiscard]] std::array<std::uint8_t, wire::kModelEtagBytes> package_etag(
      std::uint32_t version) const {
    const std::string digest =
        gateway_.operate({"model", "show", std::to_string(version)}).at("weights_sha256");
    Buffer bytes;
    for (std::size_t i = 0; i < 8; i += 2) {
      bytes.push_back(static_cast<std::uint8_t>(std::stoul(digest.substr(i, 2), nullptr, 16)));
    }
    return wire::model_etag(version, bytes);
  }

  std::unique_ptr<TestClient> client_;
};

TEST_F(ModelResource, WhoAsksForNoPatchGetsThePackage) {
  EXPECT_TRUE(is_package_block(get("v=3", "")));
  EXPECT_TRUE(is_patch_block(get("v=3", "from=2")));
  EXPECT_TRUE(is_patch_block(get("v=3", "from=1")));
}

TEST_F(ModelResource, UnknownBaseGetsThePackage) {
  for (const char* from : {"from=3", "from=4", "from=4000000000"}) {
    EXPECT_TRUE(is_package_block(get("v=3", from))) << from;
  }
  EXPECT_EQ(code_text(get("v=9", "from=1").code), "4.04");
  EXPECT_TRUE(is_patch_block(get("v=3", "from=2")));
  gateway_.roll_back(1);
  EXPECT_TRUE(is_package_block(get("v=3", "from=1"))) << "is no longer served";
  EXPECT_TRUE(is_patch_block(get("v=3", "from=2"))) << "was begun while it was served";
}

TEST_F(ModelResource, RefusesWhatIsNoQuestion) {
  for (const char* from : {"from=", "from=0", "from=01", "from=-1", "from=1x", "from=4294967296",
                           "From=1", "x=1", "from=1&from=2"}) {
    const Answer answer = get("v=3", from);
    EXPECT_EQ(code_text(answer.code), "4.00") << from;
    EXPECT_EQ(answer.problem(), Status::kInvalidArgument) << from;
  }
  EXPECT_EQ(code_text(get("from=2", "v=3").code), "4.00");
}

TEST_F(ModelResource, WhoHasTheModelOrThePatchNeedsNeither) {
  const auto has = [](const auto& etag) {
    return std::vector<Option>{{COAP_OPTION_ETAG, Buffer(etag.begin(), etag.end())}};
  };
  const auto package = package_etag(3);
  EXPECT_EQ(code_text(get("v=3", "", has(package)).code), "2.03");
  EXPECT_EQ(code_text(get("v=3", "from=2", has(package)).code), "2.03");
  EXPECT_EQ(code_text(get("v=3", "from=2", has(wire::patch_etag(package, 2))).code), "2.03");
  // What another question was answered with is of no use here.
  EXPECT_TRUE(is_patch_block(get("v=3", "from=2", has(wire::patch_etag(package, 1)))));
  EXPECT_TRUE(is_package_block(get("v=3", "", has(wire::patch_etag(package, 2)))));
  EXPECT_TRUE(is_patch_block(get("v=3", "from=2", has(package_etag(2)))));
}

// ---- A whole federation

struct Learned {
  std::string digest;
  json downloads;
};

// Some rounds with exact steps; every device ends with the last model.
Learned learn_together(std::uint32_t patch_depth) {
  constexpr std::size_t kDevices = 4;
  constexpr std::uint32_t kRounds = 4;
  const process::TemporaryDirectory folder;
  const auto digits = demo::split(learn_testing::load_digits(), kDevices, /*alpha=*/1.0, kSeed);
  demo::write_csv(folder.path() / "held-out.csv", digits.held_out);
  demo::RoundRecipe recipe;
  recipe.quorum = kDevices;
  recipe.max_rounds = kRounds;
  recipe.step_bits = 0;
  recipe.patch_depth = patch_depth;
  demo::Federation federation(SKEP_BIN_DIR, folder.path() / "federation", recipe,
                              folder.path() / "held-out.csv", kSeed);
  federation.start_gateway();
  for (std::uint32_t i = 0; i < kDevices; ++i) {
    const std::string name = "bee-" + std::to_string(i);
    federation.enrol(name);
    demo::write_csv(folder.path() / (name + ".csv"), digits.devices[i]);
    federation.start_device(name, folder.path() / (name + ".csv"), kSeed + i,
                            {"--backoff-first-ms", "50"});
  }
  const auto limit = std::chrono::steady_clock::now() + 120s;
  while (federation.devices_with_model(kRounds + 1) < kDevices) {
    federation.check_alive();
    if (std::chrono::steady_clock::now() > limit) throw std::runtime_error("nothing happens");
    std::this_thread::sleep_for(50ms);
  }
  Learned learned{federation.operate({"model", "show"}).at("weights_sha256"),
                  federation.operate({"round", "status"}).at("downloads")};
  for (std::uint32_t i = 0; i < kDevices; ++i) {
    const std::string log = process::read_text(federation.log_of("bee-" + std::to_string(i)));
    EXPECT_EQ(log.find("Refused"), std::string::npos) << log;
  }
  return learned;
}

TEST(ModelPatchFederation, MakesTheSameModelsWithPatchesAsWithout) {
  const Learned with = learn_together(8);
  const Learned without = learn_together(0);
  EXPECT_EQ(with.digest, without.digest);
  EXPECT_EQ(with.downloads.at("packages"), 4);
  EXPECT_EQ(with.downloads.at("patches"), 16);
  EXPECT_EQ(without.downloads.at("packages"), 20);
  EXPECT_EQ(without.downloads.at("patches"), 0);
  const auto bytes = [](const json& downloads) {
    return downloads.at("package_bytes").get<std::uint64_t>() +
           downloads.at("patch_bytes").get<std::uint64_t>();
  };
  EXPECT_LT(bytes(with.downloads), bytes(without.downloads));
  std::printf("with patches %llu bytes, without %llu\n",
              static_cast<unsigned long long>(bytes(with.downloads)),
              static_cast<unsigned long long>(bytes(without.downloads)));
}

}  // namespace
}  // namespace skep::e2e
