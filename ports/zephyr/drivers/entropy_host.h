/* Where the driver gets the host's entropy from: one implementation per emulator. */
#ifndef SKEP_ZEPHYR_ENTROPY_HOST_H
#define SKEP_ZEPHYR_ENTROPY_HOST_H

/* Fills `buffer` with `length` unpredictable bytes of the host's generator.
 * Returns 0, or -1 if there are none: the buffer is then unspecified. */
int skep_host_entropy(void* buffer, unsigned int length);

#endif /* SKEP_ZEPHYR_ENTROPY_HOST_H */
