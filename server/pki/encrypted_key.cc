#include "encrypted_key.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>

#include "skep/pki/error.h"

namespace skep::pki {
namespace {

// A passphrase is random, so this only has to slow down those who chose a bad one; skepd opens
// three keys when it starts.
constexpr int kIterations = 100'000;
constexpr int kSaltBytes = 16;
constexpr std::string_view kEncryptedLabel = "-----BEGIN ENCRYPTED PRIVATE KEY-----";

template <auto kFree>
struct Free {
  template <typename T>
  void operator()(T* value) const {
    kFree(value);
  }
};
using Bio = std::unique_ptr<BIO, Free<BIO_free_all>>;
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using PlainKey = std::unique_ptr<PKCS8_PRIV_KEY_INFO, Free<PKCS8_PRIV_KEY_INFO_free>>;
using EncryptedKey = std::unique_ptr<X509_SIG, Free<X509_SIG_free>>;

[[noreturn]] void fail(const std::string& what) {
  ERR_clear_error();
  throw PkiError(what);
}

Bio reader(Bytes pem) {
  Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  if (bio == nullptr) fail("no memory to read a key");
  return bio;
}

// Secure memory of OpenSSL is wiped when it is freed.
Bio writer() {
  Bio bio(BIO_new(BIO_s_secmem()));
  if (bio == nullptr) fail("no memory to write a key");
  return bio;
}

SecretBytes content_of(const Bio& bio) {
  const char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  SecretBytes content(static_cast<std::size_t>(size));
  std::copy_n(data, size, content.data());
  return content;
}

const char* text_of(const Passphrase& passphrase) {
  return reinterpret_cast<const char*>(passphrase.bytes().data());
}

int size_of(const Passphrase& passphrase) { return static_cast<int>(passphrase.bytes().size()); }

}  // namespace

bool is_encrypted(Bytes pem) {
  const std::string_view text(reinterpret_cast<const char*>(pem.data()), pem.size());
  return text.find(kEncryptedLabel) != std::string_view::npos;
}

SecretBytes encrypt_key(Bytes pem, const Passphrase& passphrase) {
  const Key key(PEM_read_bio_PrivateKey(reader(pem).get(), nullptr, nullptr, nullptr));
  const PlainKey plain(key == nullptr ? nullptr : EVP_PKEY2PKCS8(key.get()));
  if (plain == nullptr) fail("a key cannot be read to be encrypted");
  const EncryptedKey encrypted(PKCS8_encrypt(-1, EVP_aes_256_cbc(), text_of(passphrase),
                                             size_of(passphrase), nullptr, kSaltBytes, kIterations,
                                             plain.get()));
  const Bio out = writer();
  if (encrypted == nullptr || PEM_write_bio_PKCS8(out.get(), encrypted.get()) != 1) {
    fail("a key cannot be encrypted");
  }
  return content_of(out);
}

SecretBytes decrypt_key(Bytes pem, const Passphrase& passphrase,
                        const std::filesystem::path& origin) {
  const EncryptedKey encrypted(PEM_read_bio_PKCS8(reader(pem).get(), nullptr, nullptr, nullptr));
  const PlainKey plain(encrypted == nullptr ? nullptr
                                            : PKCS8_decrypt(encrypted.get(), text_of(passphrase),
                                                            size_of(passphrase)));
  const Bio out = writer();
  if (plain == nullptr || PEM_write_bio_PKCS8_PRIV_KEY_INFO(out.get(), plain.get()) != 1) {
    fail(origin.string() + " cannot be opened: the passphrase is not that of this key");
  }
  return content_of(out);
}

}  // namespace skep::pki
