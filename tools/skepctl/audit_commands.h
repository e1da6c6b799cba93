// What other commands need of those about the audit log.
#pragma once

#include "skep/audit/chain.h"

namespace skep::skepctl {

/// Errors: CommandError of kBadDigest that names the record, if something was found.
void require_whole(const audit::Report& report);

}  // namespace skep::skepctl
