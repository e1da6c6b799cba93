#include <string>

#include "commands.h"
#include "federation_directory.h"
#include "skep/pki/passphrase.h"

namespace skep::skepctl {

Answer keys_encrypt(const std::filesystem::path& directory,
                    const std::filesystem::path& passphrase_file) {
  const FederationDirectory federation(directory);
  const pki::DirectoryLock alone = federation.take();
  const pki::Passphrase passphrase = pki::Passphrase::from_file(passphrase_file);
  store::Store store = federation.open_store();
  Json names = Json::array();
  std::string text;
  for (const std::string& name : pki::encrypt_keys(federation.with_passphrase(), passphrase)) {
    names.push_back(name);
    text += (text.empty() ? "" : ", ") + name;
  }
  store.append_audit({.unix_s = now_unix_s(),
                      .event = audit::Event::kKeysEncrypted,
                      .actor = local_operator(),
                      .subject = "keys",
                      .before = {},
                      .after = text});
  return {{{"encrypted", std::move(names)}},
          "Encrypted: " + text + ". skepd needs the passphrase: [keys] in " +
              federation.paths().config().string() + ".\n"};
}

}  // namespace skep::skepctl
