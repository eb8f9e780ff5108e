/* A SessionQL plugin in C: the accounts of a machine, read from a file such as /etc/passwd.
 *
 * It needs the header and the C library, nothing else. Read it from the end: the last function is
 * what the host looks up, the table above it lists five functions, and they come in the order in
 * which the host calls them: describe, connect, plan, scan, disconnect. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sessionql_plugin.h"

enum { BATCH_ROWS = 8, LINE_BYTES = 1024 };
enum { NAME, UID, SHELL, N_COLUMNS }; /* the columns, in the order of the manifest */
static const char *const column_names[N_COLUMNS] = {"name", "uid", "shell"};
static const char *const column_formats[N_COLUMNS] = {"u", "l", "u"};

static int32_t reply(const sessionql_host *host, const char *document) {
  host->reply(host->ctx, (const uint8_t *)document, strlen(document));
  return SESSIONQL_OK;
}

/* A call that fails says why, in an error document, and returns 1. */
static int32_t fail(const sessionql_host *host, const char *code, const char *message) {
  char document[512];
  snprintf(document, sizeof document, "{\"errors\": [{\"code\": \"%s\", \"message\": \"%s\"}]}", code, message);
  reply(host, document);
  return SESSIONQL_ERROR;
}

static int32_t out_of_memory(const sessionql_host *host) { return fail(host, "plugin_error", "out of memory"); }

/* ---- Just enough JSON ------------------------------------------------------------------------
 * A piece of a document. The host's documents are JSON without faults, but they do not end in NUL,
 * may have blanks anywhere, and may have members that this plugin has never heard of. */
typedef struct { const char *at, *end; } json;

static json trimmed(json text) {
  while (text.at < text.end && strchr(" \t\r\n,:", *text.at)) text.at++;
  return text;
}

/* Cuts the first value off `rest` and returns it: {…}, […], "…" or a bare word. */
static json cut_value(json *rest) {
  json value = *rest = trimmed(*rest);
  int depth = 0;
  bool is_text = false;
  while (rest->at < rest->end) {
    char c = *rest->at;
    if (!is_text && depth == 0 && rest->at > value.at && strchr(" \t\r\n,:]}", c)) break;
    rest->at++;
    if (is_text && c == '\\') rest->at++;
    else if (c == '"') is_text = !is_text;
    else if (!is_text && strchr("{[", c)) depth++;
    else if (!is_text && strchr("}]", c)) depth--;
    if (!is_text && depth == 0 && strchr("}]\"", c)) break;
  }
  value.end = rest->at;
  return value;
}

static json inside(json value) { return value.end - value.at < 2 ? value : (json){value.at + 1, value.end - 1}; }
static bool is_at_end(json *rest) { *rest = trimmed(*rest); return rest->at >= rest->end; }

static bool is_text(json value, const char *text) {
  size_t length = strlen(text);
  return (size_t)(value.end - value.at) == length + 2 && memcmp(value.at + 1, text, length) == 0;
}

/* Returns a member of an object; an empty piece if it has none of this name. */
static json member(json object, const char *name) {
  json rest = inside(cut_value(&object));
  while (!is_at_end(&rest)) {
    json key = cut_value(&rest), value = cut_value(&rest);
    if (is_text(key, name)) return value;
  }
  return (json){"", ""};
}

/* ---- Rows --------------------------------------------------------------------------------------
 * Rows cross as Arrow arrays. A batch is a struct array with a child for each column. What it points
 * to must live until its release callback, which may come later, on any thread. A child can be taken
 * out of its parent, so each has memory and a release callback of its own. */
typedef struct { char line[LINE_BYTES]; const char *name, *shell; int64_t uid; } account;

typedef struct {
  const void *buffers[3];             /* which values are not NULL; then what the type needs */
  uint8_t validity[BATCH_ROWS / 8];   /* a bit for each row */
  int64_t numbers[BATCH_ROWS];        /* of an `l` column */
  int32_t offsets[BATCH_ROWS + 1];    /* of a `u` column: where in `text` each value begins */
  char text[BATCH_ROWS * LINE_BYTES];
} column_memory;

typedef struct { struct ArrowArray children[N_COLUMNS], *pointers[N_COLUMNS]; const void *none; } batch_memory;
typedef struct { struct ArrowSchema children[N_COLUMNS], *pointers[N_COLUMNS]; } schema_memory;

static void release_field(struct ArrowSchema *schema) { schema->release = NULL; /* all is static */ }
static void release_column(struct ArrowArray *array) { free(array->private_data); array->release = NULL; }

static void release_batch(struct ArrowArray *array) {
  for (int64_t i = 0; i < array->n_children; i++)
    if (array->children[i]->release) array->children[i]->release(array->children[i]);
  free(array->private_data);
  array->release = NULL;
}

static void release_schema(struct ArrowSchema *schema) {
  for (int64_t i = 0; i < schema->n_children; i++)
    if (schema->children[i]->release) schema->children[i]->release(schema->children[i]);
  free(schema->private_data);
  schema->release = NULL;
}

static bool fill_column(struct ArrowArray *array, int column, const account *rows, int n_rows) {
  column_memory *memory = calloc(1, sizeof *memory);
  if (!memory) return false;
  int64_t n_nulls = 0;
  for (int row = 0; row < n_rows; row++) {
    const char *text = column == NAME ? rows[row].name : rows[row].shell;
    size_t length = column == UID || !text ? 0 : strlen(text);
    memory->numbers[row] = rows[row].uid;
    memcpy(memory->text + memory->offsets[row], text ? text : "", length);
    memory->offsets[row + 1] = memory->offsets[row] + (int32_t)length;
    if (column == SHELL && !text) n_nulls++;
    else memory->validity[row / 8] |= (uint8_t)(1u << row % 8);
  }
  memory->buffers[0] = memory->validity;
  memory->buffers[1] = column == UID ? (const void *)memory->numbers : memory->offsets;
  memory->buffers[2] = memory->text;
  *array = (struct ArrowArray){.length = n_rows, .null_count = n_nulls, .n_buffers = column == UID ? 2 : 3,
                               .buffers = memory->buffers, .release = release_column, .private_data = memory};
  return true;
}

/* Emits rows with the requested columns, in the requested order. */
static int32_t emit(const sessionql_host *host, const int *columns, int n_columns, const account *rows, int n_rows) {
  batch_memory *batch = calloc(1, sizeof *batch);
  schema_memory *fields = calloc(1, sizeof *fields);
  if (!batch || !fields) { free(batch); free(fields); return out_of_memory(host); }
  struct ArrowSchema schema = {.format = "+s", .name = "", .children = fields->pointers,
                               .release = release_schema, .private_data = fields};
  struct ArrowArray array = {.length = n_rows, .n_buffers = 1, .buffers = &batch->none,
                             .children = batch->pointers, .release = release_batch, .private_data = batch};
  bool is_made = true;
  for (int i = 0; i < n_columns && is_made; i++, schema.n_children++) {
    batch->pointers[i] = &batch->children[i];
    fields->pointers[i] = &fields->children[i];
    fields->children[i] = (struct ArrowSchema){.format = column_formats[columns[i]], .name = column_names[columns[i]],
        .flags = columns[i] == SHELL ? ARROW_FLAG_NULLABLE : 0, .release = release_field};
    is_made = fill_column(&batch->children[i], columns[i], rows, n_rows);
    array.n_children += is_made;
  }
  if (!is_made) { array.release(&array); schema.release(&schema); return out_of_memory(host); }
  return host->emit(host->ctx, &schema, &array); /* takes both, whatever it answers */
}

/* ---- The five functions ----------------------------------------------------------------------- */

/* Says what the plugin is. It opens files itself, so "io" is "own"; it wants to see `=` on uid. */
static int32_t describe(const sessionql_host *host) {
  return reply(host,
    "{\"name\": \"accounts\", \"version\": \"1.0.0\", \"doc\": \"Reads the accounts of a machine.\", \"io\": \"own\","
    " \"options\": [{\"name\": \"path\", \"type\": \"text\", \"default\": \"/etc/passwd\", \"doc\": \"The file.\"}],"
    " \"tables\": [{\"name\": \"accounts\", \"doc\": \"One account.\", \"primary_key\": [\"name\"], \"columns\": ["
    "  {\"name\": \"name\", \"type\": \"text\", \"doc\": \"The login.\"},"
    "  {\"name\": \"uid\", \"type\": \"int64\", \"doc\": \"The account's number.\", \"filters\": [\"eq\"]},"
    "  {\"name\": \"shell\", \"type\": \"text\", \"nullable\": true, \"doc\": \"The shell, if one is set.\"}]}]}");
}

/* Opens a connection: here that is the path of its file. Nothing is read yet. */
static int32_t connect(const sessionql_host *host, const uint8_t *options, size_t len, void **connection) {
  json path = inside(member((json){(const char *)options, (const char *)options + len}, "path"));
  size_t length = (size_t)(path.end - path.at);
  if (length == 0 || memchr(path.at, '\\', length))
    return fail(host, "config", "option `path` must be a path without quotes and backslashes");
  char *copy = calloc(length + 1, 1);
  if (!copy) return out_of_memory(host);
  *connection = memcpy(copy, path.at, length);
  return reply(host, "{}");
}

/* Decides how to answer. The manifest asks for `=` on uid alone, so at most one filter comes. The
 * slice is this plugin's note to itself: what scan has to do. The verdict promises that scan does it. */
static int32_t plan(void *connection, const sessionql_host *host, const uint8_t *request, size_t len) {
  (void)connection;
  json filters = inside(member((json){(const char *)request, (const char *)request + len}, "filters"));
  if (is_at_end(&filters)) return reply(host, "{\"slices\": [{}]}");
  json uid = member(cut_value(&filters), "value");
  char document[128];
  snprintf(document, sizeof document, "{\"verdicts\": [\"exact\"], \"slices\": [{\"uid\": %.*s}]}", (int)(uid.end - uid.at), uid.at);
  return reply(host, document);
}

/* Takes a line `name:password:uid:group:comment:home:shell` apart. */
static bool parse(account *row) {
  char *fields[7] = {row->line}, *rest;
  for (int i = 1; i < 7; i++) {
    char *colon = strchr(fields[i - 1], ':');
    if (!colon) return false;
    *colon = '\0';
    fields[i] = colon + 1;
  }
  row->name = fields[0];
  row->uid = strtoll(fields[2], &rest, 10);
  row->shell = *fields[6] ? fields[6] : NULL;
  return *fields[2] && !*rest;
}

/* Reads the rows of a slice and hands them over in batches. */
static int32_t scan(void *connection, const sessionql_host *host, const uint8_t *slice, size_t len) {
  json document = {(const char *)slice, (const char *)slice + len};
  json names = inside(member(member(document, "request"), "columns"));
  json wanted = member(member(document, "slice"), "uid");
  int columns[N_COLUMNS], n_columns = 0, n_rows = 0;
  while (n_columns < N_COLUMNS && !is_at_end(&names)) {
    json name = cut_value(&names);
    for (int i = 0; i < N_COLUMNS; i++)
      if (is_text(name, column_names[i])) columns[n_columns++] = i;
  }
  account rows[BATCH_ROWS];
  FILE *file = fopen(connection, "r");
  if (!file) return fail(host, "unreachable", "the file of the option `path` cannot be opened");
  int32_t code = SESSIONQL_GO_ON;
  while (code == SESSIONQL_GO_ON && fgets(rows[n_rows].line, LINE_BYTES, file)) {
    account *row = &rows[n_rows];
    size_t length = strcspn(row->line, "\n");
    bool is_whole = row->line[length] == '\n' || feof(file);
    row->line[length] = '\0';
    if (length == 0 || row->line[0] == '#') continue;
    /* Never a short answer that looks whole: what cannot be read is an error. */
    if (!is_whole || !parse(row)) code = fail(host, "bad_answer", "a line of the file is no account");
    else if (wanted.at == wanted.end || row->uid == strtoll(wanted.at, NULL, 10)) n_rows++;
    if (code != SESSIONQL_GO_ON || n_rows < BATCH_ROWS) continue;
    code = emit(host, columns, n_columns, rows, n_rows);
    n_rows = 0;
  }
  if (code == SESSIONQL_GO_ON && ferror(file)) code = fail(host, "unreachable", "the file of the option `path` cannot be read");
  fclose(file);
  if (code == SESSIONQL_GO_ON && n_rows > 0) code = emit(host, columns, n_columns, rows, n_rows);
  if (code == SESSIONQL_STOP) return SESSIONQL_OK;  /* the host has enough; no report is due */
  if (code != SESSIONQL_GO_ON) return code;         /* failed, refused or cancelled: it was said why */
  return reply(host, "{}");                         /* a report without gaps: that was all */
}

static void disconnect(void *connection, const sessionql_host *host) { (void)host; free(connection); }
static const sessionql_plugin plugin = {SESSIONQL_ABI_VERSION, sizeof plugin, describe, connect, plan, scan, disconnect};

const sessionql_plugin *sessionql_plugin_v1(void) { return &plugin; }
