/* SessionQL plugin interface, version 1.0.
 *
 * This file is the specification. The Rust crate beside it mirrors it field by field.
 *
 * A plugin is a shared library that decides which requests answer a question about one kind of
 * provider, and reads the answers into rows. The host sends the requests, waits, retries,
 * authenticates and limits; the plugin sees no secret and opens no socket (unless its manifest
 * says "io": "own").
 *
 * Documents are JSON in UTF-8 with a length; they are not terminated by NUL. A side ignores
 * fields that it does not know. Rows cross as Arrow arrays by the Arrow C data interface.
 *
 * Versions. Both tables begin with abi_version and struct_size. A side reads only the fields that
 * the other side's struct_size covers. New fields come at the end. A breaking change is a new
 * exported symbol. "What version 1 promises" below says it in full.
 *
 * Threads. The host may call plan and scan concurrently, also on one connection, and any function
 * from any thread. One call's callbacks may be called only on the thread of that call and only
 * until it returns.
 *
 * Memory. Neither side frees what the other allocated. Pointers that the host passes in are valid
 * until the call returns. Pointers that callbacks hand out are valid until the next callback on
 * the same ctx. Arrow structures carry their own release callback, which the host may call later,
 * on any thread, even after disconnect; so the library must keep working, and the host never
 * unloads it.
 *
 * Failures. No exception, panic or longjmp may leave a function of either side. A plugin answers a
 * failure with code 1 and an error document.
 *
 * What version 1 promises
 * -----------------------
 * A library that was built against any header of version 1 loads in every host that speaks version
 * 1, newer or older than the header, as the file that it is. It need not be rebuilt, and it
 * answers as it did. Should there be a version 2, hosts go on loading sessionql_plugin_v1 for at
 * least two more minor releases of SessionQL.
 *
 * What may be added, in headers 1.1, 1.2 and so on; each addition says since when it is there:
 *   - Fields at the end of sessionql_host and sessionql_plugin. A side that wants one looks whether
 *     the other's struct_size covers it, and whether it is NULL, and does without if so. Both sides
 *     take a struct_size larger than theirs. No side may need a field that is newer than 1.0.
 *     sessionql_response is written by the host into the plugin's memory, so it never grows; what
 *     an answer tells besides is a new field of its head.
 *   - Fields of documents. Both sides ignore fields that they do not know. What is left out means
 *     what it meant before the field was there.
 *   - Filters, types, authentication and other features that have a name. The host sends a plugin
 *     only filters that its manifest names. A host refuses a manifest that names what it does not
 *     know, and says so, for what it cannot do it must not leave out.
 *   - Codes of errors and gaps. A host that does not know one takes it for "other".
 *   - Levels of log. A host takes one that it does not know for SESSIONQL_LOG_DEBUG.
 *
 * What never changes within version 1: the name and type of the symbol; names, types, order and
 * meaning of the fields that are there; the return codes; who owns and frees what; which function
 * may be called when and on which thread; the meaning of a field of a document, and what leaving it
 * out means; that a plugin may send nothing that its manifest does not declare.
 *
 * What is not promised: texts of messages, notes and log lines; how documents are written (the
 * order of fields, blanks); in how many pieces a body is read; when, how often and on how many
 * threads plan and scan are called for a query; which requests the host repeats and how long it
 * waits; the memory layout of anything that is not in this header; the Rust types of the SDK, which
 * are built anew with each library.
 */
#ifndef SESSIONQL_PLUGIN_H
#define SESSIONQL_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SESSIONQL_ABI_VERSION 1u

/* Return codes of all functions and callbacks. Any other value is taken for an error. */
#define SESSIONQL_OK 0
#define SESSIONQL_ERROR 1
#define SESSIONQL_CANCELLED 2

/* Answers of emit beside SESSIONQL_ERROR and SESSIONQL_CANCELLED. Functions never return STOP. */
#define SESSIONQL_GO_ON 0
#define SESSIONQL_STOP 3

/* Levels of log. */
#define SESSIONQL_LOG_ERROR 1
#define SESSIONQL_LOG_WARN 2
#define SESSIONQL_LOG_INFO 3
#define SESSIONQL_LOG_DEBUG 4
#define SESSIONQL_LOG_TRACE 5

#if defined(_WIN32)
#define SESSIONQL_EXPORT __declspec(dllexport)
#else
#define SESSIONQL_EXPORT __attribute__((visibility("default")))
#endif

/* The Arrow C data interface, as its specification gives it; the guard is the one it asks for. */
#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE

#define ARROW_FLAG_DICTIONARY_ORDERED 1
#define ARROW_FLAG_NULLABLE 2
#define ARROW_FLAG_MAP_KEYS_SORTED 4

struct ArrowSchema {
  const char *format;
  const char *name;
  const char *metadata;
  int64_t flags;
  int64_t n_children;
  struct ArrowSchema **children;
  struct ArrowSchema *dictionary;
  void (*release)(struct ArrowSchema *);
  void *private_data;
};

struct ArrowArray {
  int64_t length;
  int64_t null_count;
  int64_t offset;
  int64_t n_buffers;
  int64_t n_children;
  const void **buffers;
  struct ArrowArray **children;
  struct ArrowArray *dictionary;
  void (*release)(struct ArrowArray *);
  void *private_data;
};

#endif /* ARROW_C_DATA_INTERFACE */

/* The answer to one HTTP request. Since 1.0. */
typedef struct sessionql_response {
  /* On SESSIONQL_OK: {"status": 200, "headers": [["content-type", "…"]], "body_len": 123,
   * "base_url": "https://…"}; the base URL is there to tell links in answers by, and has no slash
   * at its end. On SESSIONQL_ERROR: an error document, which the plugin may pass on as its own
   * reply. */
  const uint8_t *head;
  size_t head_len;
  /* Handle for read; 0 if there is no body. It ends with the call, or when read has come to the
   * body's end. */
  uint64_t body;
} sessionql_response;

/* What the host offers to one call. Since 1.0. */
typedef struct sessionql_host {
  uint32_t abi_version;
  uint32_t struct_size;
  /* Since 1.0. To be passed to every callback. It belongs to one call; do not keep it. */
  void *ctx;

  /* Since 1.0. Takes the call's one document: its result before returning 0, an error document
   * {"errors": [{"code", "message", "hint"?, "column"?, "retryable"?}]} before returning 1.
   * Exactly once; after SESSIONQL_STOP or SESSIONQL_CANCELLED it may be left out. Of a report that
   * is given after either, before returning 0, the host takes the notes and the gaps "clamped",
   * which say that rows that were emitted may have wrong values. The host copies.
   * code is one of: capped history clamped budget timeout unreachable auth bad_answer
   * provider_error plugin_error config cancelled other. */
  void (*reply)(void *ctx, const uint8_t *bytes, size_t len);

  /* Since 1.0. Sends one request: {"method", "path", "query": [[name, value]], "headers": [[name,
   * value]], "body"?}. Path is below the connection's base URL. Method and path must match a
   * pattern of the manifest, or the call fails. Blocks until the whole answer has arrived and was
   * verified (length, compression, content type), retrying what may be retried, so a plugin never
   * repeats a request by itself. Statuses 401, 408, 429 and 5xx do not reach the plugin. Allowed
   * during scan only; connect and plan send nothing. */
  int32_t (*http)(void *ctx, const uint8_t *request, size_t len, sessionql_response *response);

  /* Since 1.0. Hands out the next piece of a body; length 0 at its end. Bodies are read once, in
   * order. SESSIONQL_ERROR: end the call with 1; the host knows why and says so itself. */
  int32_t (*read)(void *ctx, uint64_t body, const uint8_t **bytes, size_t *len);

  /* Since 1.0. Takes one batch: a struct array whose children are the requested columns in the
   * requested order, with the types of the manifest. With no columns, length alone counts. The
   * host always takes ownership of both structures and marks them released, also when it answers
   * with an error. SESSIONQL_STOP: the consumer has enough; end the call soon, with 0.
   * SESSIONQL_ERROR: the host refused the batch; end the call with 1, the host says itself what
   * was wrong. Allowed during scan only. */
  int32_t (*emit)(void *ctx, struct ArrowSchema *schema, struct ArrowArray *array);

  /* Since 1.0. Takes one line for the log, without secrets. Answers SESSIONQL_CANCELLED when the
   * call should end. */
  int32_t (*log)(void *ctx, int32_t level, const uint8_t *bytes, size_t len);
} sessionql_host;

/* What a plugin offers: a table that lives as long as the process. Since 1.0. */
typedef struct sessionql_plugin {
  uint32_t abi_version;
  uint32_t struct_size;

  /* Since 1.0. Replies with the manifest. Called once after loading; does no I/O. */
  int32_t (*describe)(const sessionql_host *host);

  /* Since 1.0. Opens a connection. options is an object with the non-secret options of the
   * configuration, defaults filled in, types checked against the manifest. Durations are
   * microseconds. On 0, *connection is handed to the calls below (it may stay NULL) and the reply
   * is {} or {"tables"?, "auth"?, "patterns"?, "notes"?}, each replacing what the manifest says.
   * Reports all bad options at once. Does no I/O. */
  int32_t (*connect)(const sessionql_host *host, const uint8_t *options, size_t len,
                     void **connection);

  /* Since 1.0. Replies with a plan for the request {"table", "columns", "filters", "limit"?,
   * "order"?, "now", "clock", "learned"}: {"verdicts", "reasons", "slices", "estimate", "notes",
   * "gaps", "previews"}. Pure: no I/O, no state, the same answer to the same request. An exact
   * verdict promises that the emitted rows are just those that pass the filter; when in doubt say
   * inexact. Times are truncated outward to the provider's resolution. */
  int32_t (*plan)(void *connection, const sessionql_host *host, const uint8_t *request, size_t len);

  /* Since 1.0. Emits the rows of one slice, {"request", "slice"}, and replies with a report
   * {"gaps", "notes", "learned"?}. No gaps is the claim that every row of the slice was emitted.
   * Plain blocking code on a thread of the host. It may emit duplicates if the manifest says so.
   * It never ends early because of request.limit; only because of SESSIONQL_STOP. */
  int32_t (*scan)(void *connection, const sessionql_host *host, const uint8_t *slice, size_t len);

  /* Since 1.0. Closes a connection. Called once, when no other call on it runs. Nothing can fail
   * here. */
  void (*disconnect)(void *connection, const sessionql_host *host);
} sessionql_plugin;

/* Since 1.0. The one symbol that a library exports. It returns the same table on every call, never
 * NULL. */
SESSIONQL_EXPORT const sessionql_plugin *sessionql_plugin_v1(void);

#ifdef __cplusplus
}
#endif

#endif /* SESSIONQL_PLUGIN_H */
