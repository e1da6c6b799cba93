// The people of the gateway's machine, as the audit log and the table of devices name them.
#pragma once

#include <cstdint>
#include <string>

#include "skep/audit/record.h"

namespace skep::audit {

/// The user `uid` of this machine, who came in by `origin`: "uid 1000 (ann)", or "uid 1000" if the
/// machine knows no name for it. Thread-safe; reads the user database.
[[nodiscard]] Actor operator_of(std::uint32_t uid, std::string origin);

}  // namespace skep::audit
