#include "skep/release/export.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "skep/pki_testing/temporary_directory.h"
#include "testing/package_fixture.h"

namespace skep::release {
namespace {

namespace fs = std::filesystem;
using release_testing::SignedModel;
using release_testing::small_fields;

constexpr std::uint64_t kNow = 1800000000;

std::string read_text(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

void write_text(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

class Export : public testing::Test {
 protected:
  void SetUp() override { export_package(model_.package, model_.verifying, out_); }

  [[nodiscard]] Status verify(const fs::path& path) const {
    try {
      (void)verify_export(path, model_.verifying, kNow);
      return Status::kOk;
    } catch (const ReleaseError& error) {
      EXPECT_STRNE(error.what(), "");
      return error.status();
    }
  }

  const SignedModel model_;
  const pki_testing::TemporaryDirectory folder_;
  const fs::path out_ = folder_ / "export";
};

TEST_F(Export, VerifiesAsAFolderAndAsAFile) {
  const VerifiedExport folder = verify_export(out_, model_.verifying, kNow);
  EXPECT_TRUE(folder.is_folder);
  EXPECT_EQ(folder.package, model_.package);
  EXPECT_EQ(folder.opened.weights, model_.weights);
  const VerifiedExport file = verify_export(out_ / "model.skep", model_.verifying, kNow);
  EXPECT_FALSE(file.is_folder);
  EXPECT_EQ(file.package, model_.package);
}

TEST_F(Export, HasNoPublicKeyInIt) {
  const auto& point = model_.verifying.point();
  const std::string needle(point.begin() + 1, point.begin() + 33);
  std::size_t files = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(out_)) {
    const std::string text = read_text(entry.path());
    EXPECT_EQ(text.find(needle), std::string::npos) << entry.path();
    EXPECT_EQ(text.find(to_hex(Bytes(point).subspan(1, 32))), std::string::npos) << entry.path();
    ++files;
  }
  EXPECT_EQ(files, 4U);
}

TEST_F(Export, ABitFlippedInAnyFileIsRefused) {
  for (const char* name : {"model.skep", "model.onnx", "metadata.json", "signature.bin"}) {
    const std::string whole = read_text(out_ / name);
    const std::size_t step = std::max<std::size_t>(1, whole.size() / 60);
    for (std::size_t i = 0; i < whole.size(); i += step) {
      std::string altered = whole;
      altered[i] = static_cast<char>(altered[i] ^ (1 << (i % 7)));
      write_text(out_ / name, altered);
      EXPECT_NE(verify(out_), Status::kOk) << name << ", byte " << i;
    }
    write_text(out_ / name, whole.substr(0, whole.size() - 1));
    EXPECT_NE(verify(out_), Status::kOk) << name << " truncated";
    write_text(out_ / name, whole + "x");
    EXPECT_NE(verify(out_), Status::kOk) << name << " extended";
    write_text(out_ / name, whole);
    EXPECT_EQ(verify(out_), Status::kOk) << name;
  }
}

TEST_F(Export, AMissingFileIsNamed) {
  for (const char* name : {"model.skep", "model.onnx", "metadata.json", "signature.bin"}) {
    fs::rename(out_ / name, folder_ / name);
    EXPECT_EQ(verify(out_), Status::kStorageFailed) << name;
    fs::rename(folder_ / name, out_ / name);
  }
  EXPECT_EQ(verify(folder_ / "nowhere"), Status::kStorageFailed);
}

TEST_F(Export, AFileThatDoesNotBelongIsRefused) {
  write_text(out_ / "signing.pub", "trust me");
  EXPECT_EQ(verify(out_), Status::kRejected);
}

TEST_F(Export, AnotherKeyOrAnotherModelsFilesAreRefused) {
  const SignedModel other;
  EXPECT_THROW((void)verify_export(out_, other.verifying, kNow), PackageError);
  ManifestFields fields = small_fields();
  fields.model_version = 10;
  const auto newer = build_package(fields, model_.weights, model_.key);
  export_package(newer, model_.verifying, folder_ / "newer");
  ASSERT_EQ(verify(folder_ / "newer"), Status::kOk);
  for (const char* name : {"model.onnx", "metadata.json", "signature.bin"}) {
    const std::string mine = read_text(out_ / name);
    write_text(out_ / name, read_text(folder_ / "newer" / name));
    EXPECT_EQ(verify(out_), Status::kBadDigest) << name;
    write_text(out_ / name, mine);
  }
}

TEST_F(Export, AnExpiredModelIsRefused) {
  ManifestFields fields = small_fields();
  fields.expires_unix_s = kNow + 1;
  const auto package = build_package(fields, model_.weights, model_.key);
  export_package(package, model_.verifying, folder_ / "expiring");
  EXPECT_NO_THROW((void)verify_export(folder_ / "expiring", model_.verifying, kNow));
  EXPECT_THROW((void)verify_export(folder_ / "expiring", model_.verifying, kNow + 1), PackageError);
}

TEST_F(Export, NeverWritesIntoAnExistingFolder) {
  EXPECT_THROW(export_package(model_.package, model_.verifying, out_), ReleaseError);
  EXPECT_EQ(verify(out_), Status::kOk);
}

TEST_F(Export, ABadPackageLeavesNoFolder) {
  std::vector<std::uint8_t> altered = model_.package;
  altered.back() ^= 1U;
  EXPECT_THROW(export_package(altered, model_.verifying, folder_ / "bad"), PackageError);
  EXPECT_FALSE(fs::exists(folder_ / "bad"));
}

TEST_F(Export, MetadataSaysWhatIsInside) {
  const auto json = nlohmann::json::parse(read_text(out_ / "metadata.json"));
  EXPECT_EQ(json["model_version"], 9);
  EXPECT_EQ(json["rolls_back_to"], 4);
  EXPECT_EQ(json["federation"], "0102030405060708");
  EXPECT_EQ(json["weights_sha256"], to_hex(sha256(model_.weights)));
  EXPECT_EQ(json["files"]["model.skep"]["sha256"], to_hex(sha256(model_.package)));
  EXPECT_EQ(json["spec"]["layers"].size(), 3U);
}

}  // namespace
}  // namespace skep::release
