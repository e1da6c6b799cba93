#include "skep/learn/memory_plan.h"

int main() {
  // A model without a layer is none.
  return skep::learn::plan_memory(skep::ModelSpec{}).ok() ? 1 : 0;
}
