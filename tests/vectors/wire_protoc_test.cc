// An independent implementation reads what we write: Debian's protoc, really run.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "skep/wire/codec.h"
#include "vector_file.h"

namespace skep::wire {
namespace {

using Buffer = std::vector<std::uint8_t>;

// What protoc prints for `input`; fails the running test if protoc does.
std::string run_protoc(const std::string& mode, const std::string& input) {
  const char* protoc = std::getenv("SKEP_PROTOC");
  const char* folder = std::getenv("SKEP_PROTO_DIR");
  if (protoc == nullptr || folder == nullptr) {
    ADD_FAILURE() << "run by ctest, which sets SKEP_PROTOC and SKEP_PROTO_DIR";
    return {};
  }
  std::string file = std::filesystem::temp_directory_path() / "skep_wire_protoc_XXXXXX";
  const int descriptor = mkstemp(file.data());
  EXPECT_GE(descriptor, 0);
  close(descriptor);
  std::ofstream(file, std::ios::binary) << input;
  const std::string command = std::string("'") + protoc + "' --proto_path='" + folder + "' --" +
                              mode + " skep.proto < '" + file + "'";
  FILE* pipe = popen(command.c_str(), "r");
  EXPECT_NE(pipe, nullptr) << command;
  std::string output;
  if (pipe != nullptr) {
    for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) {
      output.push_back(static_cast<char>(c));
    }
    const int status = pclose(pipe);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << command;
  }
  std::filesystem::remove(file);
  return output;
}

struct TextVector {
  std::string message;  // e.g. skep.RoundPlan
  std::string text;     // as protoc prints it
};

TextVector read_textproto(const std::string& name) {
  const std::string content = read_text(name + ".textproto");
  const std::string mark = "# proto-message: ";
  EXPECT_EQ(content.rfind(mark, 0), 0U) << name;
  const std::size_t end = content.find('\n');
  return {content.substr(mark.size(), end - mark.size()), content.substr(end + 1)};
}

template <typename Message>
Buffer reencoded(const Result<Message>& message) {
  Buffer out(4096);
  if (!message.ok()) return {};
  const Result<std::size_t> size = encode(*message, out);
  out.resize(size.ok() ? *size : 0);
  return out;
}

// What our encoder writes for the content that our decoder found.
Buffer through_our_codec(const std::string& message, const Buffer& bytes) {
  if (message == "skep.RoundPlan") return reencoded(decode_round_plan(bytes));
  if (message == "skep.SignedRoundPlan") return reencoded(decode_signed_round_plan(bytes));
  if (message == "skep.UpdateHeader") return reencoded(decode_update_header(bytes));
  if (message == "skep.SealedUpdate") return reencoded(decode_sealed_update(bytes));
  if (message == "skep.Update") return reencoded(decode_update(bytes));
  if (message == "skep.Receipt") return reencoded(decode_receipt(bytes));
  if (message == "skep.GatewayTime") return reencoded(decode_gateway_time(bytes));
  if (message == "skep.SignedTime") return reencoded(decode_signed_time(bytes));
  if (message == "skep.ModelManifest") return reencoded(decode_model_manifest(bytes));
  if (message == "skep.ModelPatch") return reencoded(decode_model_patch(bytes));
  if (message == "skep.Problem") return reencoded(decode_problem(bytes));
  if (message == "skep.DeviceCredentials") return reencoded(decode_device_credentials(bytes));
  if (message == "skep.ModelPackage") {
    const Result<PackageHead> head = read_model_package(SpanSource(bytes));
    if (!head.ok()) return {};
    const Bytes weights = Bytes(bytes).subspan(head->weights_offset);
    return reencoded(
        Result<ModelPackage>(ModelPackage{head->manifest_view(), head->signature, weights}));
  }
  ADD_FAILURE() << "no decoder for " << message;
  return {};
}

class WireProtoc : public testing::TestWithParam<std::string> {};

TEST_P(WireProtoc, EncodesTheTextAsTheVector) {
  const TextVector vector = read_textproto(GetParam());
  const std::string bytes = run_protoc("encode=" + vector.message, vector.text);
  EXPECT_EQ(Buffer(bytes.begin(), bytes.end()), read_vector(GetParam()));
}

TEST_P(WireProtoc, DecodesWhatOurEncoderWrites) {
  const TextVector vector = read_textproto(GetParam());
  const Buffer ours = through_our_codec(vector.message, read_vector(GetParam()));
  ASSERT_FALSE(ours.empty());
  EXPECT_EQ(run_protoc("decode=" + vector.message, {ours.begin(), ours.end()}), vector.text);
}

INSTANTIATE_TEST_SUITE_P(EveryVector, WireProtoc, testing::ValuesIn(vector_names()),
                         [](const auto& param) { return param.param; });

TEST(WireProtocVectors, ThereIsOneOfEachMessage) { EXPECT_GE(vector_names().size(), 12U); }

}  // namespace
}  // namespace skep::wire
