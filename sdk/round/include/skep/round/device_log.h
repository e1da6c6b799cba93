// The log of a Device, for what runs before it starts.
#pragma once

#include <cstdint>

#include "skep/core/record_log.h"
#include "skep/platform.h"
#include "skep/status.h"

namespace skep::round {

/// Opens `log` where a Device with these sizes (DeviceConfig) has it in `storage`. Close it, by
/// letting go of it, before the Device starts.
///
/// Errors: those of model::make_layout and of RecordLog::open.
Status open_device_log(RecordLog& log, const Storage& storage, std::uint32_t max_package_bytes,
                       std::uint32_t max_update_bytes);

}  // namespace skep::round
