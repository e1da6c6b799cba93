// Every value of RFC 9180's base-mode vectors, through the same functions that updates take.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "hpke_internal.h"
#include "seal_testing.h"

namespace skep::seal::hpke {
namespace {

using nlohmann::json;
using testing::Buffer;
using testing::from_hex;
using testing::take;
using testing::to_hex;

json all_vectors() {
  std::ifstream file(SKEP_TEST_SOURCE_DIR "/testdata/hpke_rfc9180_base.json");
  return json::parse(file);
}

class HpkeVectors : public ::testing::TestWithParam<int> {
 protected:
  HpkeVectors() : vectors_(all_vectors().at(static_cast<std::size_t>(GetParam()))) {}

  [[nodiscard]] std::string text(const char* name) const {
    return vectors_.at(name).get<std::string>();
  }
  [[nodiscard]] Buffer bytes(const char* name) const { return from_hex(text(name)); }
  [[nodiscard]] Kem kem() const { return static_cast<Kem>(vectors_.at("kem_id").get<int>()); }
  [[nodiscard]] PrivateKey key(const char* name) const {
    return take(PrivateKey::from_bytes(kem(), bytes(name)));
  }
  [[nodiscard]] Sender sender() const {
    return take(ContextAccess::sender(key("skEm"), bytes("pkRm"), bytes("info")));
  }
  [[nodiscard]] Recipient recipient() const {
    return take(Recipient::setup(key("skRm"), bytes("enc"), bytes("info")));
  }

  json vectors_;
};

TEST_P(HpkeVectors, AreOfTheSuiteThatWeImplement) {
  EXPECT_EQ(vectors_.at("mode"), 0);
  EXPECT_EQ(vectors_.at("kdf_id"), 1);
  EXPECT_EQ(vectors_.at("aead_id"), 1);
  EXPECT_EQ(vectors_.at("encryptions").size(), 6U);
  EXPECT_EQ(vectors_.at("exports").size(), 3U);
}

TEST_P(HpkeVectors, DeriveKeyPair) {
  for (const auto& [ikm, secret_key, public_key] :
       {std::tuple("ikmE", "skEm", "pkEm"), std::tuple("ikmR", "skRm", "pkRm")}) {
    const auto derived = take(derive_private_key(kem(), bytes(ikm)));
    EXPECT_EQ(to_hex(derived.view()), text(secret_key));
    EXPECT_EQ(to_hex(take(PrivateKey::from_bytes(kem(), derived.view())).public_key()),
              text(public_key));
  }
}

TEST_P(HpkeVectors, Encap) {
  const auto encapsulation = take(encap(key("skEm"), bytes("pkRm")));
  EXPECT_EQ(to_hex(encapsulation.enc.view()), text("enc"));
  EXPECT_EQ(to_hex(encapsulation.shared_secret.view()), text("shared_secret"));
}

TEST_P(HpkeVectors, Decap) {
  EXPECT_EQ(to_hex(take(decap(key("skRm"), bytes("enc"))).view()), text("shared_secret"));
}

TEST_P(HpkeVectors, KeySchedule) {
  const auto shared_secret = take(decap(key("skRm"), bytes("enc")));
  const auto schedule = take(key_schedule(kem(), shared_secret, bytes("info")));
  EXPECT_EQ(to_hex(schedule.context), text("key_schedule_context"));
  EXPECT_EQ(to_hex(schedule.secret.view()), text("secret"));
  EXPECT_EQ(to_hex(schedule.key.view()), text("key"));
  EXPECT_EQ(to_hex(schedule.base_nonce.view()), text("base_nonce"));
  EXPECT_EQ(to_hex(schedule.exporter_secret.view()), text("exporter_secret"));
}

TEST_P(HpkeVectors, Encryptions) {
  Sender from = sender();
  Recipient to = recipient();
  EXPECT_EQ(to_hex(from.enc()), text("enc"));
  for (const json& encryption : vectors_.at("encryptions")) {
    const auto get = [&](const char* name) {
      return from_hex(encryption.at(name).get<std::string>());
    };
    const auto sequence_number = encryption.at("sequence_number").get<std::uint64_t>();
    ContextAccess::set_sequence_number(from, sequence_number);
    ContextAccess::set_sequence_number(to, sequence_number);
    EXPECT_EQ(to_hex(ContextAccess::next_nonce(from)), encryption.at("nonce"));

    Buffer sealed(get("pt").size() + kTagBytes);
    ASSERT_EQ(take(from.seal(get("aad"), get("pt"), sealed)), sealed.size());
    EXPECT_EQ(to_hex(sealed), encryption.at("ct"));
    EXPECT_EQ(from.sequence_number(), sequence_number + 1);

    Buffer opened(get("pt").size());
    ASSERT_EQ(take(to.open(get("aad"), get("ct"), opened)), opened.size());
    EXPECT_EQ(to_hex(opened), encryption.at("pt"));
    EXPECT_EQ(to.sequence_number(), sequence_number + 1);
  }
}

TEST_P(HpkeVectors, Exports) {
  for (const json& exported : vectors_.at("exports")) {
    const Buffer context = from_hex(exported.at("exporter_context").get<std::string>());
    Buffer value(exported.at("L").get<std::size_t>());
    ASSERT_EQ(sender().export_secret(context, value), Status::kOk);
    EXPECT_EQ(to_hex(value), exported.at("exported_value"));
    Buffer other_side(value.size());
    ASSERT_EQ(recipient().export_secret(context, other_side), Status::kOk);
    EXPECT_EQ(other_side, value);
  }
}

INSTANTIATE_TEST_SUITE_P(Rfc9180, HpkeVectors, ::testing::Values(0, 1),
                         [](const ::testing::TestParamInfo<int>& param) {
                           return param.param == 0 ? std::string("X25519") : std::string("P256");
                         });

TEST(HpkeVectorFile, HoldsBothSuitesAndNoOther) {
  const json vectors = all_vectors();
  ASSERT_EQ(vectors.size(), 2U);
  EXPECT_EQ(vectors[0].at("kem_id"), static_cast<int>(Kem::kX25519HkdfSha256));
  EXPECT_EQ(vectors[1].at("kem_id"), static_cast<int>(Kem::kP256HkdfSha256));
}

}  // namespace
}  // namespace skep::seal::hpke
