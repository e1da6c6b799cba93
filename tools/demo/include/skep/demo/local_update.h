// Updates as devices make them, made here: by the SDK's own stages, without a device process.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "skep/bytes.h"
#include "skep/demo/digits_data.h"
#include "skep/model_spec.h"
#include "skep/wire/codec.h"

namespace skep::demo {

/// The file of `skepctl device add`. Throws std::runtime_error if it is none.
wire::DeviceCredentials load_credentials(const std::filesystem::path& path);

/// What a device has to have before it can train.
struct Task {
  wire::RoundPlan plan{};
  ModelSpec spec;
  std::vector<std::uint8_t> weights;
};

/// From the bodies of GET skep/v1/round and GET skep/v1/model. Signatures are not checked: the
/// gateway is our own. Throws std::runtime_error if they do not decode.
Task make_task(Bytes signed_plan, Bytes model_package);

/// One device's whole local round: trains on `samples`, clips, compresses, seals and signs as
/// `task.plan` and `credentials` say. Returns an encoded SealedUpdate; the same seed trains the
/// same way, sealing is randomised. Throws std::runtime_error.
std::vector<std::uint8_t> make_update(const Task& task, const wire::DeviceCredentials& credentials,
                                      const std::vector<Sample>& samples, std::uint32_t seed);

}  // namespace skep::demo
