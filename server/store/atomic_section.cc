#include "atomic_section.h"

namespace skep::store {

AtomicSection::AtomicSection(Store::Connection& connection)
    : connection_(connection), nested_(!connection.is_idle()) {
  // IMMEDIATE takes the write lock now, and waits for it: a lock taken later could fail at once.
  connection_.execute(nested_ ? "SAVEPOINT section" : "BEGIN IMMEDIATE");
}

AtomicSection::~AtomicSection() {
  // SQLite has rolled back by itself after some errors (disk full, I/O); then there is nothing
  // left to undo. The destructor runs while the error that matters is on its way.
  if (done_ || connection_.is_idle()) return;
  try {
    connection_.execute(nested_ ? "ROLLBACK TO section; RELEASE section" : "ROLLBACK");
  } catch (const StoreError&) {
  }
}

void AtomicSection::commit() {
  connection_.execute(nested_ ? "RELEASE section" : "COMMIT");
  done_ = true;
}

}  // namespace skep::store
