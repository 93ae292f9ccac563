/* The bookkeeping of rewriting: who makes a tensor, how often it is read, what is dead. */
#include "engine/graph/rewrite.h"

#include "base/alloc.h"
#include "engine/graph/shape.h"

/* What may be spent on constants: some milliseconds, and as much again as handling each of them a few times
 * takes. A weight that several nodes share may be stored again for some of them: 16 MiB in all. */
#define WORK_BUDGET     (1ull << 22)
#define WORK_OF_ELEMENT 8
#define COPY_BUDGET     (1ull << 22)

static void kill(kas_rewrite *rewrite, int node);

/* One read less. Recursion ends at the graph's input: it goes as deep as the graph, KAS_GRAPH_MAX_NODES at
 * most. */
static void release(kas_rewrite *rewrite, int tensor)
{
    if (tensor < 0 || --rewrite->reads[tensor]) return;
    kas_tensor *unread = &rewrite->graph->tensors[tensor];
    kas_free(unread->constant);
    unread->constant = NULL;
    if (rewrite->producer[tensor] >= 0) kill(rewrite, rewrite->producer[tensor]);
}

static void kill(kas_rewrite *rewrite, int node)
{
    kas_node *dying = &rewrite->graph->nodes[node];
    rewrite->dead[node] = true;
    rewrite->producer[dying->output] = -1;
    kas_free(dying->indices);
    dying->indices = NULL;
    for (int i = 0; i < dying->input_count; ++i)
        release(rewrite, dying->inputs[i]);
}

static void count_reads(kas_rewrite *rewrite)
{
    kas_graph *graph = rewrite->graph;
    ++rewrite->reads[graph->output];
    for (size_t n = 0; n < graph->node_count; ++n) {
        const kas_node *node = &graph->nodes[n];
        rewrite->producer[node->output] = (int)n;
        for (int i = 0; i < node->input_count; ++i)
            if (node->inputs[i] >= 0) ++rewrite->reads[node->inputs[i]];
    }
    for (size_t n = graph->node_count; n-- > 0;)
        if (!rewrite->dead[n] && !rewrite->reads[graph->nodes[n].output]) kill(rewrite, (int)n);
}

static void free_arrays(kas_rewrite *rewrite)
{
    kas_free(rewrite->producer);
    kas_free(rewrite->reads);
    kas_free(rewrite->forward);
    kas_free(rewrite->dead);
    *rewrite = (kas_rewrite){0};
}

kas_status kas_rewrite_begin(kas_rewrite *rewrite, kas_graph *graph)
{
    *rewrite = (kas_rewrite){
        .graph = graph,
        .producer = kas_alloc_array(KAS_GRAPH_MAX_TENSORS, sizeof *rewrite->producer),
        .reads = kas_calloc(KAS_GRAPH_MAX_TENSORS, sizeof *rewrite->reads),
        .forward = kas_alloc_array(KAS_GRAPH_MAX_TENSORS, sizeof *rewrite->forward),
        .dead = kas_calloc(graph->node_count, sizeof *rewrite->dead),
        .work_budget = WORK_BUDGET,
        .copy_budget = COPY_BUDGET,
    };
    if (!rewrite->producer || !rewrite->reads || !rewrite->forward || !rewrite->dead) {
        free_arrays(rewrite);
        return kas_out_of_memory();
    }
    for (int i = 0; i < KAS_GRAPH_MAX_TENSORS; ++i) {
        rewrite->producer[i] = -1;
        rewrite->forward[i] = i;
    }
    count_reads(rewrite);
    for (size_t i = 0; i < graph->tensor_count; ++i)
        if (graph->tensors[i].constant) rewrite->work_budget += WORK_OF_ELEMENT * graph->tensors[i].elements;
    return NULL;
}

static int resolve(const kas_rewrite *rewrite, int tensor)
{
    while (tensor >= 0 && rewrite->forward[tensor] != tensor)
        tensor = rewrite->forward[tensor];
    return tensor;
}

static void resolve_inputs(kas_rewrite *rewrite, kas_node *node)
{
    for (int i = 0; i < node->input_count; ++i)
        node->inputs[i] = resolve(rewrite, node->inputs[i]);
}

kas_status kas_rewrite_scan(kas_rewrite *rewrite, const kas_rewrite_rule *rules, size_t count)
{
    for (int n = 0; (size_t)n < rewrite->graph->node_count; ++n) {
        if (rewrite->dead[n]) continue;
        resolve_inputs(rewrite, &rewrite->graph->nodes[n]);
        for (size_t rule = 0; rule < count && !rewrite->dead[n]; ++rule)
            KAS_TRY(rules[rule](rewrite, n));
    }
    return NULL;
}

void kas_rewrite_replace(kas_rewrite *rewrite, int node, const kas_node *replacement)
{
    kas_node old = rewrite->graph->nodes[node];
    for (int i = 0; i < replacement->input_count; ++i)
        if (replacement->inputs[i] >= 0) ++rewrite->reads[replacement->inputs[i]];
    rewrite->graph->nodes[node] = *replacement;
    rewrite->graph->nodes[node].output = old.output;
    if (old.indices != replacement->indices) kas_free(old.indices);
    for (int i = 0; i < old.input_count; ++i)
        release(rewrite, old.inputs[i]);
    rewrite->changed = true;
}

void kas_rewrite_by_act(kas_rewrite *rewrite, int node, kas_act act, double a, double b, int x)
{
    kas_node unary = {.op = KAS_OP_UNARY,
                      .act = act,
                      .act_a = (float)a,
                      .act_b = (float)b,
                      .inputs = {x},
                      .input_count = 1};
    kas_rewrite_replace(rewrite, node, &unary);
}

/* The node becomes a plain copy of a tensor of its output's shape. */
static void replace_by_copy(kas_rewrite *rewrite, int node, int source)
{
    kas_node copy = {.op = KAS_OP_STRIDED, .inputs = {source}, .input_count = 1};
    kas_shape_strides(&kas_rewrite_tensor(rewrite, source)->shape, copy.stride);
    kas_rewrite_replace(rewrite, node, &copy);
}

void kas_rewrite_alias(kas_rewrite *rewrite, int node, int target)
{
    kas_graph *graph = rewrite->graph;
    int output = graph->nodes[node].output;
    if (output == graph->output) {
        if (graph->tensors[target].constant) {
            replace_by_copy(rewrite, node, target);
            return;
        }
        graph->output = target;
    }
    rewrite->reads[target] += rewrite->reads[output];
    rewrite->reads[output] = 0;
    rewrite->forward[output] = target;
    kill(rewrite, node);
    rewrite->changed = true;
}

kas_status kas_rewrite_make_constant(kas_rewrite *rewrite, int node, float *values)
{
    int output = rewrite->graph->nodes[node].output;
    if (output == rewrite->graph->output) {
        kas_tensor made = *kas_rewrite_tensor(rewrite, output);
        int copied;
        KAS_TRY(kas_graph_add_constant(rewrite->graph, made.name, &made.shape, values, &copied));
        replace_by_copy(rewrite, node, copied);
        return NULL;
    }
    kill(rewrite, node);
    rewrite->graph->tensors[output].constant = values;
    rewrite->changed = true;
    return NULL;
}

bool kas_rewrite_has_room(const kas_rewrite *rewrite, size_t tensors)
{
    return rewrite->graph->tensor_count + tensors <= KAS_GRAPH_MAX_TENSORS;
}

bool kas_rewrite_spend(kas_rewrite *rewrite, uint64_t each, size_t count)
{
    if (each > rewrite->work_budget / count) return false;
    rewrite->work_budget -= each * count;
    return true;
}

bool kas_rewrite_spend_on(kas_rewrite *rewrite, int constant)
{
    size_t elements = kas_rewrite_tensor(rewrite, constant)->elements;
    bool stays = rewrite->reads[constant] > 1;
    if ((stays && elements > rewrite->copy_budget) || !kas_rewrite_spend(rewrite, 1, elements)) return false;
    if (stays) rewrite->copy_budget -= elements;
    return true;
}

const kas_node *kas_rewrite_producer(const kas_rewrite *rewrite, int tensor, kas_op op)
{
    int node = rewrite->producer[tensor];
    if (node < 0 || rewrite->graph->nodes[node].op != op) return NULL;
    return &rewrite->graph->nodes[node];
}

static void compact_nodes(kas_rewrite *rewrite)
{
    kas_graph *graph = rewrite->graph;
    size_t kept = 0;
    for (size_t n = 0; n < graph->node_count; ++n) {
        if (rewrite->dead[n]) continue;
        resolve_inputs(rewrite, &graph->nodes[n]);
        graph->nodes[kept++] = graph->nodes[n];
    }
    graph->node_count = kept;
}

/* `number` gives each tensor that is still used its new number, in the old order. */
static void compact_tensors(kas_graph *graph, int *number)
{
    for (size_t i = 0; i < graph->tensor_count; ++i)
        number[i] = -1;
    number[graph->input] = number[graph->output] = 0;
    for (size_t n = 0; n < graph->node_count; ++n) {
        const kas_node *node = &graph->nodes[n];
        number[node->output] = 0;
        for (int i = 0; i < node->input_count; ++i)
            if (node->inputs[i] >= 0) number[node->inputs[i]] = 0;
    }
    int kept = 0;
    for (size_t i = 0; i < graph->tensor_count; ++i) {
        if (number[i] < 0) {
            kas_free(graph->tensors[i].name);
            kas_free(graph->tensors[i].constant);
            continue;
        }
        graph->tensors[kept] = graph->tensors[i];
        number[i] = kept++;
    }
    graph->tensor_count = (size_t)kept;
    graph->input = number[graph->input];
    graph->output = number[graph->output];
}

void kas_rewrite_finish(kas_rewrite *rewrite)
{
    kas_graph *graph = rewrite->graph;
    compact_nodes(rewrite);
    int *number = rewrite->forward; /* nothing forwards any more */
    compact_tensors(graph, number);
    for (size_t n = 0; n < graph->node_count; ++n) {
        kas_node *node = &graph->nodes[n];
        node->output = number[node->output];
        for (int i = 0; i < node->input_count; ++i)
            if (node->inputs[i] >= 0) node->inputs[i] = number[node->inputs[i]];
    }
    free_arrays(rewrite);
}
