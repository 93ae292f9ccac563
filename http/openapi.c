/* GET /openapi.yaml: the contract, as it was when this was built. */
#include <string.h>

#include "http/handlers.h"
#include "http/respond.h"

extern const char kas_openapi_document[]; /* openapi_document.S */

void kas_http_get_openapi(kas_http_request *request)
{
    kas_http_respond_memory(request, 200, "application/yaml", kas_openapi_document,
                            strlen(kas_openapi_document));
}
