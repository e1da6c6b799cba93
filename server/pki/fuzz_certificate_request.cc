// What a device sends to be enrolled: whatever is accepted names a device and has a key on P-256.
#include <cstdio>
#include <cstdlib>

#include "skep/pki/certificate_request.h"
#include "skep/pki/error.h"
#include "skep/wire/codec.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skep;
  try {
    const auto request = pki::parse_certificate_request(Bytes(data, size));
    if (!wire::is_valid_name(request.common_name.data(), request.common_name.size()) ||
        request.public_key[0] != 4) {
      std::fprintf(stderr, "accepted what is no request of a device\n");
      std::abort();
    }
  } catch (const pki::PkiError&) {
  }
  return 0;
}
