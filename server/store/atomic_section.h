// Several statements as one, whether or not a Transaction is open.
#pragma once

#include "connection.h"

namespace skep::store {

/// Without commit() the destructor undoes what the connection did since the construction. Outside
/// of a Transaction it is a transaction of its own; inside it undoes only its own part.
class AtomicSection {
 public:
  explicit AtomicSection(Store::Connection& connection);
  ~AtomicSection();
  void commit();

  AtomicSection(const AtomicSection&) = delete;
  AtomicSection& operator=(const AtomicSection&) = delete;

 private:
  Store::Connection& connection_;
  bool nested_;
  bool done_ = false;
};

}  // namespace skep::store
