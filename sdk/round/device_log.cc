#include "skep/round/device_log.h"

#include "skep/model/storage_layout.h"

namespace skep::round {

Status open_device_log(RecordLog& log, const Storage& storage, std::uint32_t max_package_bytes,
                       std::uint32_t max_update_bytes) {
  SKEP_ASSIGN_OR_RETURN(
      const model::StorageLayout layout,
      model::make_layout(storage.geometry(), max_package_bytes, max_update_bytes));
  return log.open(layout.log);
}

}  // namespace skep::round
