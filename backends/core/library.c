#include "backends/core/library.h"

#include <dlfcn.h>
#include <string.h>

#include "base/log.h"

static void *open_first(const char *api, const char *const *names)
{
    for (; *names; ++names) {
        void *library = dlopen(*names, RTLD_NOW | RTLD_LOCAL);
        if (library) return library;
        kas_debug(api, "not used: %s", dlerror());
    }
    return NULL;
}

static bool resolve(const char *api, void *library, const kas_symbol *symbol)
{
    void *address = dlsym(library, symbol->name);
    memcpy(symbol->slot, &address,
           sizeof address); /* a data pointer into a function pointer, as POSIX allows */
    if (address || symbol->optional) return true;
    kas_debug(api, "not used: the library has no %s", symbol->name);
    return false;
}

bool kas_library_load(const char *api, const char *const *names, const kas_symbol *symbols, size_t count)
{
    void *library = open_first(api, names);
    bool complete = library != NULL;
    for (size_t i = 0; library && i < count; ++i)
        complete = resolve(api, library, &symbols[i]) && complete;
    return complete;
}
