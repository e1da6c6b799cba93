// What the coordinator writes into the audit log.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "skep/audit/record.h"
#include "skep/store/store.h"

namespace skep::coordinator {

/// Why the open round ends or a model is made, as far as the tables do not say so.
struct Cause {
  audit::Actor actor = {};
  std::vector<std::string> contributors = {};  ///< Devices whose updates were averaged.
  std::string reason = {};
};

/// Released, rejected by the gate, or rolled back to. `base_version` was served until then.
/// Errors: AuditError of kCryptoFailed.
[[nodiscard]] audit::Entry model_made(const store::Model& model, std::uint32_t base_version,
                                      const Cause& cause, std::int64_t now_unix_s);

[[nodiscard]] audit::Entry round_closed(const store::Round& round, const Cause& cause,
                                        std::int64_t now_unix_s);

/// By the gateway, always.
[[nodiscard]] audit::Entry round_opened(const store::Round& round);

}  // namespace skep::coordinator
