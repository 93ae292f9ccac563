/* openapi/kasmina.yaml, with a NUL behind it. */
    .section .rodata
    .global kas_openapi_document
    .hidden kas_openapi_document
    .type kas_openapi_document, %object
kas_openapi_document:
    .incbin KAS_OPENAPI_FILE
    .byte 0
    .size kas_openapi_document, . - kas_openapi_document
    .section .note.GNU-stack, "", %progbits
