// Whether an audit log is what was written: nothing edited, removed, put in or moved.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "skep/audit/head.h"
#include "skep/audit/record.h"
#include "skep/seal/signature.h"

namespace skep::audit {

/// The first thing that is wrong.
struct Finding {
  std::int64_t number = 0;  ///< Of the record; 0 if it is about no record.
  std::string detail = {};  ///< What is wrong with it, for the operator.
};

struct Report {
  std::int64_t records = 0;                       ///< That are right.
  std::int64_t heads = 0;                         ///< That are right, the kept one left out.
  std::int64_t signed_records = 0;                ///< Up to here nothing can be cut off unnoticed.
  std::optional<Finding> finding = std::nullopt;  ///< None: all is right.
};

/// The records in the order of their numbers, as stored; std::nullopt after the last.
using RecordSource = std::function<std::optional<Record>()>;

/// Checks each record's number and hash, each head's signature and that it is in the chain, and the
/// same of `kept`, a head that the operator has from elsewhere. Stops at the first finding.
///
/// `heads` in any order. Throws what `next` throws; AuditError of kCryptoFailed.
[[nodiscard]] Report check(const FederationId& federation, const seal::VerifyingKey& key,
                           const RecordSource& next, std::vector<SignedHead> heads,
                           const std::optional<SignedHead>& kept);

}  // namespace skep::audit
