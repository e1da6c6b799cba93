#include "nanopb_stream.h"

#include <pb_decode.h>
#include <pb_encode.h>

#include <cstring>

namespace skep::wire {
namespace {

constexpr pb_byte_t kVersionTag = 0x08;  // field 1, varint

// An input of our own, rather than nanopb's buffer stream, because its position is needed to make
// views and nanopb does not promise where it keeps it.
struct Input {
  Bytes bytes;
  std::size_t position = 0;
};

bool read_input(pb_istream_t* stream, pb_byte_t* out, std::size_t count) {
  auto& input = *static_cast<Input*>(stream->state);
  if (count > input.bytes.size() - input.position) return false;
  if (count != 0 && out != nullptr) {
    std::memcpy(out, input.bytes.data() + input.position, count);
  }
  input.position += count;
  return true;
}

pb_istream_t open_input(Input& input) {
  pb_istream_t stream{};
  stream.callback = &read_input;
  stream.state = &input;
  stream.bytes_left = input.bytes.size();
  return stream;
}

bool decode_view(pb_istream_t* stream, const pb_field_iter_t* /*field*/, void** arg) {
  // A value of another wire type than `bytes` arrives in a temporary stream of nanopb's.
  if (stream->callback != &read_input) return false;
  auto& input = *static_cast<Input*>(stream->state);
  if (stream->bytes_left > input.bytes.size() - input.position) return false;
  *static_cast<Bytes*>(*arg) = input.bytes.subspan(input.position, stream->bytes_left);
  input.position += stream->bytes_left;
  stream->bytes_left = 0;
  return true;
}

bool encode_view(pb_ostream_t* stream, const pb_field_iter_t* field, void* const* arg) {
  const auto& view = *static_cast<const Bytes*>(*arg);
  if (view.empty()) return true;  // proto3: a default is not written
  return pb_encode_tag_for_field(stream, field) &&
         pb_encode_string(stream, view.data(), view.size());
}

bool write_output(pb_ostream_t* stream, const pb_byte_t* data, std::size_t count) {
  auto*& out = reinterpret_cast<pb_byte_t*&>(stream->state);
  std::memmove(out, data, count);
  out += count;
  return true;
}

struct Comparison {
  Bytes rest;
};

bool compare_output(pb_ostream_t* stream, const pb_byte_t* data, std::size_t count) {
  Bytes& rest = static_cast<Comparison*>(stream->state)->rest;
  if (count > rest.size() || std::memcmp(rest.data(), data, count) != 0) return false;
  rest = rest.subspan(count);
  return true;
}

}  // namespace

std::size_t varint_bytes(std::uint32_t value) {
  std::size_t size = 1;
  for (; value >= 0x80U; value >>= 7U) ++size;
  return size;
}

std::size_t field_head_bytes(std::size_t content_bytes) {
  return 1 + varint_bytes(static_cast<std::uint32_t>(content_bytes));
}

void bind(pb_callback_t& field, Bytes& view) {
  field.funcs.decode = &decode_view;
  field.arg = &view;
}

void bind(pb_callback_t& field, const Bytes& view) {
  field.funcs.encode = &encode_view;
  field.arg = const_cast<Bytes*>(&view);  // nanopb has one type of argument for both directions
}

Status check_version(Bytes bytes, std::uint32_t latest) {
  if (bytes.empty() || bytes[0] != kVersionTag) return Status::kMalformed;
  Input input{bytes.subspan(1)};
  pb_istream_t stream = open_input(input);
  std::uint64_t version = 0;
  if (!pb_decode_varint(&stream, &version)) return Status::kMalformed;
  return version >= 1 && version <= latest ? Status::kOk : Status::kUnsupportedVersion;
}

Status decode_message(Bytes bytes, const pb_msgdesc_t* descriptor, void* message) {
  Input input{bytes};
  pb_istream_t stream = open_input(input);
  return pb_decode(&stream, descriptor, message) ? Status::kOk : Status::kMalformed;
}

Status check_canonical(Bytes bytes, const pb_msgdesc_t* descriptor, const void* message) {
  Comparison comparison{bytes};
  pb_ostream_t stream{};
  stream.callback = &compare_output;
  stream.state = &comparison;
  stream.max_size = bytes.size();
  if (!pb_encode(&stream, descriptor, message)) return Status::kMalformed;
  return comparison.rest.empty() ? Status::kOk : Status::kMalformed;
}

Result<std::size_t> encode_message(const pb_msgdesc_t* descriptor, const void* message,
                                   MutableBytes out) {
  pb_ostream_t stream{};
  stream.callback = &write_output;
  stream.state = out.data();
  stream.max_size = out.size();
  if (!pb_encode(&stream, descriptor, message)) return Status::kNoMemory;
  return stream.bytes_written;
}

}  // namespace skep::wire
