#include "skep/audit/operator.h"

#include <pwd.h>

#include <array>
#include <utility>

namespace skep::audit {

Actor operator_of(std::uint32_t uid, std::string origin) {
  std::array<char, 4096> buffer{};
  passwd entry{};
  passwd* found = nullptr;
  const bool known =
      ::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr;
  return {
      .kind = ActorKind::kOperator,
      .name = "uid " + std::to_string(uid) + (known ? " (" + std::string(entry.pw_name) + ")" : ""),
      .origin = std::move(origin)};
}

}  // namespace skep::audit
