/* Random graphs of every operator, checked: what follows random_restart in tests/unit/graph_fixture.h is the
 * same each time. */
#ifndef RANDOM_GRAPH_H
#define RANDOM_GRAPH_H

#include "tests/unit/graph_fixture.h"

/* A few nodes over an input of up to three small dimensions, constants of every broadcast among them. */
kas_graph *random_graph(void);

#endif
