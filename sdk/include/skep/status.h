// What went wrong, as one closed list that the device, the wire and the gateway share.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

namespace skep {

/// Outcome of an operation. The numeric values are part of the wire contract (`Problem.code`
/// in proto/skep.proto): a value is never renumbered or reused.
enum class [[nodiscard]] Status : std::uint8_t{
    kOk = 0,
    kInvalidArgument = 1,     ///< A caller's value is outside of its documented range.
    kTooLarge = 2,            ///< A length exceeds the bound that its header documents.
    kMalformed = 3,           ///< Bytes that do not decode as what they claim to be.
    kUnsupportedVersion = 4,  ///< A format or protocol version that this build does not know.
    kUnsupported = 5,         ///< A known field with a value that this build does not implement.
    kNoMemory = 6,            ///< The memory handed in is smaller than the plan requires.
    kNoEntropy = 7,           ///< The entropy source failed: no key, nonce or noise may be made.
    kStorageFailed = 8,       ///< Flash or file reported an error, or is full.
    kNotFound = 9,            ///< The named thing does not exist.
    kBadSignature = 10,       ///< A signature does not verify under the expected key.
    kBadDigest = 11,          ///< Content does not match the digest that was signed.
    kStaleVersion = 12,       ///< A model version not higher than the installed one.
    kWrongFederation = 13,    ///< A message of another federation.
    kWrongDevice = 14,        ///< Header device, session certificate and signature key disagree.
    kWrongRound = 15,         ///< A round that is not the open one.
    kWrongNonce = 16,         ///< Not the nonce of the open round's plan.
    kWrongBase = 17,          ///< Base model version or digest is not the plan's.
    kAlreadyAnswered = 18,    ///< This device already sent different bytes for this round.
    kUndecryptable = 19,      ///< HPKE open failed: wrong key, or altered bytes.
    kNormExceeded = 20,       ///< The update's L2 norm is above the plan's clip norm.
    kRevoked = 21,            ///< The device is not (or no longer) enrolled.
    kBusy = 22,               ///< Try again later.
    kTimeout = 23,            ///< The peer did not answer in time.
    kUnreachable = 24,        ///< No session to the peer could be made.
    kRejected = 25,           ///< The gateway refused with a reason that has no own code.
    kCryptoFailed = 26,       ///< A cryptographic operation failed for an internal reason.
    kInternal = 27,           ///< A broken invariant: a bug.
};

/// The constant's name without the `k`, for logs and messages; never null.
[[nodiscard]] const char* to_string(Status status);

/// Either a value or the Status that says why there is none.
///
/// No exceptions, no heap; `sizeof(T)` plus one byte. `value()` requires `ok()`. Usable in
/// constant expressions, so that a firmware can static_assert what a function answers.
template <typename T>
class [[nodiscard]] Result {
 public:
  constexpr Result(Status error)  // NOLINT
      : error_(error == Status::kOk ? Status::kInternal : error) {}
  constexpr Result(T value) : error_(Status::kOk) {  // NOLINT
    std::construct_at(&storage_.value, std::move(value));
  }

  constexpr Result(Result&& other) noexcept : error_(other.error_) {
    if (ok()) std::construct_at(&storage_.value, std::move(other.storage_.value));
  }
  constexpr Result(const Result& other) : error_(other.error_) {
    if (ok()) std::construct_at(&storage_.value, other.storage_.value);
  }
  Result& operator=(const Result&) = delete;
  Result& operator=(Result&&) = delete;
  constexpr ~Result() {
    if (ok()) std::destroy_at(&storage_.value);
  }

  [[nodiscard]] constexpr bool ok() const { return error_ == Status::kOk; }
  [[nodiscard]] constexpr Status status() const { return error_; }

  [[nodiscard]] constexpr T& value() & { return storage_.value; }
  [[nodiscard]] constexpr const T& value() const& { return storage_.value; }
  [[nodiscard]] constexpr T&& value() && { return std::move(storage_.value); }
  [[nodiscard]] constexpr T& operator*() & { return storage_.value; }
  [[nodiscard]] constexpr const T& operator*() const& { return storage_.value; }
  [[nodiscard]] constexpr T&& operator*() && { return std::move(storage_.value); }
  [[nodiscard]] constexpr T* operator->() { return &storage_.value; }
  [[nodiscard]] constexpr const T* operator->() const { return &storage_.value; }

 private:
  union Storage {
    constexpr Storage() {}
    constexpr ~Storage() {}
    T value;
  };
  Storage storage_;
  Status error_;
};

}  // namespace skep

/// Returns the error of a Status expression to the caller, if it is one.
#define SKEP_TRY(expression)                                 \
  do {                                                       \
    if (const ::skep::Status skep_try_status = (expression); \
        skep_try_status != ::skep::Status::kOk) {            \
      return skep_try_status;                                \
    }                                                        \
  } while (false)

#define SKEP_TRY_CONCAT_INNER(a, b) a##b
#define SKEP_TRY_CONCAT(a, b) SKEP_TRY_CONCAT_INNER(a, b)

/// `SKEP_ASSIGN_OR_RETURN(auto x, f());`: binds the value of a Result, or returns its error.
#define SKEP_ASSIGN_OR_RETURN(declaration, expression)         \
  auto SKEP_TRY_CONCAT(skep_result_, __LINE__) = (expression); \
  if (!SKEP_TRY_CONCAT(skep_result_, __LINE__).ok()) {         \
    return SKEP_TRY_CONCAT(skep_result_, __LINE__).status();   \
  }                                                            \
  declaration = std::move(*SKEP_TRY_CONCAT(skep_result_, __LINE__))
