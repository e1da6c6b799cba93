#include "skep/audit/head.h"

#include <charconv>
#include <span>
#include <vector>

#include "big_endian.h"

namespace skep::audit {
namespace {

constexpr std::string_view kForm = "skep-audit-head-v1";

std::vector<std::uint8_t> encode(const Head& head) {
  std::vector<std::uint8_t> bytes(head.federation.begin(), head.federation.end());
  append_integer(bytes, head.number);
  bytes.insert(bytes.end(), head.hash.begin(), head.hash.end());
  append_integer(bytes, head.unix_s);
  return bytes;
}

std::string to_hex(Bytes bytes) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : bytes) {
    text += kDigits[byte >> 4U];
    text += kDigits[byte & 15U];
  }
  return text;
}

// Up to the next blank, or the end.
std::string_view take_word(std::string_view& text) {
  const std::string_view word = text.substr(0, text.find(' '));
  text.remove_prefix(std::min(text.size(), word.size() + 1));
  return word;
}

template <typename Integer>
bool read(std::string_view word, Integer& out, int base) {
  const char* const end = word.data() + word.size();
  const auto [rest, error] = std::from_chars(word.data(), end, out, base);
  return error == std::errc() && rest == end;
}

bool read_hex(std::string_view word, MutableBytes out) {
  if (word.size() != 2 * out.size()) return false;
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (!read(word.substr(2 * i, 2), out[i], 16)) return false;
  }
  return true;
}

}  // namespace

SignedHead sign(const Head& head, const seal::SigningKey& key) {
  const Result<seal::Signature> signature = key.sign(seal::Domain::kAuditHead, encode(head));
  if (!signature.ok()) throw AuditError(signature.status(), "signing an audit head failed");
  return {.head = head, .signature = *signature};
}

Status verify(const SignedHead& head, const seal::VerifyingKey& key) {
  return key.verify(seal::Domain::kAuditHead, encode(head.head), head.signature);
}

std::string to_text(const SignedHead& head) {
  return std::string(kForm) + ' ' + to_hex(head.head.federation) + ' ' +
         std::to_string(head.head.number) + ' ' + std::to_string(head.head.unix_s) + ' ' +
         to_hex(head.head.hash) + ' ' + to_hex(head.signature);
}

SignedHead parse_head(std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  std::string_view rest = text;
  SignedHead head;
  const bool is_complete =
      take_word(rest) == kForm && read_hex(take_word(rest), head.head.federation) &&
      read(take_word(rest), head.head.number, 10) && read(take_word(rest), head.head.unix_s, 10) &&
      read_hex(take_word(rest), head.head.hash) && read_hex(take_word(rest), head.signature);
  // Written again it must be the same: no leading zeros, capitals, or something after it.
  if (!is_complete || head.head.number < 1 || to_text(head) != text) {
    throw AuditError(Status::kMalformed,
                     "not an audit head: expected the line that `skepctl audit head` prints, "
                     "which begins with " +
                         std::string(kForm));
  }
  return head;
}

}  // namespace skep::audit
