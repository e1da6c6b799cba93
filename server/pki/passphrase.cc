#include "skep/pki/passphrase.h"

#include <algorithm>
#include <cstdlib>
#include <utility>
#include <vector>

#include "skep/pki/error.h"
#include "skep/pki/files.h"

namespace skep::pki {
namespace {

constexpr std::size_t kMaxFileBytes = kMaxPassphraseBytes + 1;  // With its newline.

}  // namespace

Passphrase Passphrase::from_file(const std::filesystem::path& path) {
  return from_text(read_secret_file(path, kMaxFileBytes).bytes(), path);
}

Passphrase Passphrase::from_credential(const std::string& name) {
  const char* directory = std::getenv("CREDENTIALS_DIRECTORY");
  if (directory == nullptr) {
    throw PkiError("the credential " + name +
                   " cannot be read: there is no $CREDENTIALS_DIRECTORY (LoadCredential= in the "
                   "unit of systemd, or systemd-run --property)");
  }
  const std::filesystem::path path = std::filesystem::path(directory) / name;
  // It belongs to root and shows an access list as its group: read_secret_file() would refuse it.
  std::vector<std::uint8_t> text = read_file(path, kMaxFileBytes);
  try {
    Passphrase passphrase = from_text(text, path);
    wipe(text.data(), text.size());
    return passphrase;
  } catch (...) {
    wipe(text.data(), text.size());
    throw;
  }
}

Passphrase Passphrase::from_text(Bytes text, const std::filesystem::path& origin) {
  if (!text.empty() && text.back() == '\n') text = text.first(text.size() - 1);
  if (text.size() < kMinPassphraseBytes || text.size() > kMaxPassphraseBytes) {
    throw PkiError(origin.string() + " holds a passphrase of " + std::to_string(text.size()) +
                   " bytes: expected " + std::to_string(kMinPassphraseBytes) + " to " +
                   std::to_string(kMaxPassphraseBytes) + " (openssl rand -base64 32 makes one)");
  }
  SecretBytes bytes(text.size());
  std::ranges::copy(text, bytes.data());
  return Passphrase(std::move(bytes));
}

}  // namespace skep::pki
