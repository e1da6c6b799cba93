// Updates as devices make them: trained on the demo's digits, compressed, sealed, signed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "session.h"
#include "skep/bytes.h"
#include "skep/demo/digits_data.h"
#include "skep/wire/codec.h"

namespace skep::bench {

/// The file of `skepctl device add`. Throws std::runtime_error if it is none.
wire::DeviceCredentials load_credentials(const std::filesystem::path& path);

/// What a device has to have before it can train.
struct Task {
  wire::RoundPlan plan{};
  Buffer weights;
};

/// From the bodies of GET skep/v1/round and GET skep/v1/model. Signatures are not checked: the
/// gateway is our own. Throws std::runtime_error if they do not decode.
Task make_task(Bytes signed_plan, Bytes model_package);

/// One device's whole local round. Returns an encoded SealedUpdate. Throws std::runtime_error.
Buffer make_update(const Task& task, const wire::DeviceCredentials& credentials,
                   const std::vector<demo::Digit>& samples, std::uint32_t seed);

}  // namespace skep::bench
