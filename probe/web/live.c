#include "probe/web/live.h"

#include <stdio.h>
#include <string.h>

#include "probe/http/form.h"
#include "probe/web/assets.h"

ASSET_DECLARE(live_html);
ASSET_DECLARE(index_css);
ASSET_DECLARE(live_css);
ASSET_DECLARE(icon_svg);
ASSET_DECLARE(live_js);
ASSET_DECLARE(dom_js);
ASSET_DECLARE(server_js);
ASSET_DECLARE(view_js);
ASSET_DECLARE(poll_js);
ASSET_DECLARE(state_js);
ASSET_DECLARE(tree_js);
ASSET_DECLARE(icicle_js);
ASSET_DECLARE(charts_js);
ASSET_DECLARE(flame_js);
ASSET_DECLARE(profile_js);
ASSET_DECLARE(words_js);
ASSET_DECLARE(locks_js);
ASSET_DECLARE(lock_words_js);
ASSET_DECLARE(chart_min_js);
ASSET_DECLARE(d3_hierarchy_min_js);

static const struct asset files[] = {
    {"/page/index.css", ASSET_CSS, index_css, &index_css_bytes},
    {"/page/live.css", ASSET_CSS, live_css, &live_css_bytes},
    {"/page/icon.svg", ASSET_IMAGE, icon_svg, &icon_svg_bytes},
    {"/page/live.js", ASSET_SCRIPT, live_js, &live_js_bytes},
    {"/page/dom.js", ASSET_SCRIPT, dom_js, &dom_js_bytes},
    {"/page/server.js", ASSET_SCRIPT, server_js, &server_js_bytes},
    {"/page/view.js", ASSET_SCRIPT, view_js, &view_js_bytes},
    {"/page/poll.js", ASSET_SCRIPT, poll_js, &poll_js_bytes},
    {"/page/state.js", ASSET_SCRIPT, state_js, &state_js_bytes},
    {"/page/tree.js", ASSET_SCRIPT, tree_js, &tree_js_bytes},
    {"/page/icicle.js", ASSET_SCRIPT, icicle_js, &icicle_js_bytes},
    {"/page/charts.js", ASSET_SCRIPT, charts_js, &charts_js_bytes},
    {"/page/flame.js", ASSET_SCRIPT, flame_js, &flame_js_bytes},
    {"/page/profile.js", ASSET_SCRIPT, profile_js, &profile_js_bytes},
    {"/page/words.js", ASSET_SCRIPT, words_js, &words_js_bytes},
    {"/page/locks.js", ASSET_SCRIPT, locks_js, &locks_js_bytes},
    {"/page/lock_words.js", ASSET_SCRIPT, lock_words_js, &lock_words_js_bytes},
    {"/page/chart.min.js", ASSET_SCRIPT, chart_min_js, &chart_min_js_bytes},
    {"/page/d3-hierarchy.min.js", ASSET_SCRIPT, d3_hierarchy_min_js,
     &d3_hierarchy_min_js_bytes},
};

/* Adds the peer to a list of sources, by both names that a person may have typed. */
static void peer_text(const struct origin *peer, char *text, size_t size)
{
    text[0] = '\0';
    if (peer->port == 0) {
        return;
    }
    bool local =
        strcmp(peer->host, "localhost") == 0 || strcmp(peer->host, "127.0.0.1") == 0;
    if (local) {
        snprintf(text, size, " http://localhost:%u http://127.0.0.1:%u", peer->port,
                 peer->port);
    } else {
        snprintf(text, size, " http://%s:%u", peer->host, peer->port);
    }
}

void probe_page_protect(struct reply *reply)
{
    char peer[320];
    peer_text(&reply->request->site->peer, peer, sizeof(peer));
    probe_reply_header(reply, "Content-Security-Policy",
                       "default-src 'self'; connect-src 'self'%s; base-uri 'none'; "
                       "form-action 'self'; frame-ancestors 'none'",
                       peer);
}

void probe_page_live(const struct request *request, struct reply *reply)
{
    if (probe_form_read_none(request, reply)) {
        probe_reply_static(reply, REPLY_HTML, live_html, live_html_bytes);
        probe_page_protect(reply);
    }
}

void probe_page_live_files(const struct request *request, struct reply *reply)
{
    probe_asset_reply(files, sizeof(files) / sizeof(files[0]), request, reply);
}
