// Updates that are as they should be, and ones that are not.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "skep/bytes.h"
#include "skep/demo/local_update.h"
#include "skep/seal/signature.h"
#include "skep/wire/codec.h"
#include "test_client.h"

namespace skep::e2e {

using demo::Task;

/// Fetches the open round's. Throws std::runtime_error; signatures are not checked.
Task fetch_task(TestClient& client);

/// demo::make_update() on made-up digits. What the plan has been changed to is what the update does
/// wrong.
Buffer make_update(const Task& task, const wire::DeviceCredentials& credentials,
                   std::uint32_t seed = 1);

/// One field of a message (protobuf wire types 0 and 2, the ones that we use).
struct Field {
  std::uint32_t number = 0;
  bool is_bytes = false;
  std::uint64_t value = 0;  ///< Of a number.
  Buffer bytes;
};

/// Throws std::runtime_error if it is not made of such fields.
std::vector<Field> split_fields(Bytes message);
Buffer join_fields(const std::vector<Field>& fields);

/// The same message with the field `number`, which it has, changed.
Buffer edit_field(Bytes message, std::uint32_t number, const std::function<void(Field&)>& edit);

/// The same SealedUpdate, with a signature over what it contains now.
Buffer sign_again(Bytes sealed_update, const seal::SigningKey& key);

/// sign_again() after its header was changed.
Buffer with_header(Bytes sealed_update, const std::function<void(wire::UpdateHeader&)>& edit,
                   const seal::SigningKey& key);

/// The private key in the device's file.
seal::SigningKey signing_key(const wire::DeviceCredentials& credentials);

/// A SealedUpdate around any plaintext, under the header of `sealed_update`, to the plan's key.
Buffer seal_plaintext(const Task& task, Bytes sealed_update, Bytes plaintext,
                      const seal::SigningKey& key);

}  // namespace skep::e2e
