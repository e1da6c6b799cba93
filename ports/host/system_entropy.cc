#include "skep/port_host/system_entropy.h"

#include <sys/random.h>

#include <cerrno>

namespace skep::port_host {

Status SystemEntropy::fill(MutableBytes out) {
  while (!out.empty()) {
    const ssize_t got = getrandom(out.data(), out.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return Status::kNoEntropy;
    out = out.subspan(static_cast<std::size_t>(got));
  }
  return Status::kOk;
}

}  // namespace skep::port_host
