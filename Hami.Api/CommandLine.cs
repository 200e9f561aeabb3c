using System.CommandLine;
using Hami.Api.Archiving;
using Hami.Api.Commands;
using Hami.Api.Observing;
using Hami.Api.Reading;
using Hami.Api.Replaying;

namespace Hami.Api;

/// <summary>The verbs of <c>hami-api</c>.</summary>
internal static class CommandLine
{
    public static RootCommand Create() =>
        new("HAMi on events: the control plane that shares accelerators among pods.")
        {
            Serve(), ReplayVerb.Command(), AuditVerb.Command(), WhatIfVerb.Command(), ImportVerb.Command(), RebuildVerb.Command(), ArchiveVerb.Command(), VersionVerb.Command(),
        };

    private static Command Serve()
    {
        var (listen, cluster, placement, signing, access, idle) =
            (new ListenFlags(), new ClusterFlags(), new PlacementFlags(), new SigningFlags(), new AccessFlags(), new IdleFlags());
        var (database, heads, prometheus) = (new DatabaseFlag(), new HeadFlags(), new PrometheusFlags());
        var legacyMetrics = Flag.Switch("--legacy-metrics", false, "Also offer metrics under the names they had before HAMi v2.9.");
        var webUiMetrics = Flag.Switch("--webui-metrics", false, "Also offer the metrics of HAMi-WebUI's exporter, for dashboards that were made for them.");
        var profiling = Flag.Switch("--profiling", false, "Answer /debug at the extender's listener: the runtime's counters, its configuration, a forced collection.");

        var serve = new Command("serve", "Answer the webhook, kube-scheduler and GraphQL.") { legacyMetrics, webUiMetrics, profiling };
        database.AddTo(serve);
        listen.AddTo(serve);
        cluster.AddTo(serve);
        placement.AddTo(serve);
        signing.AddTo(serve);
        access.AddTo(serve);
        heads.AddTo(serve);
        prometheus.AddTo(serve);
        idle.AddTo(serve);
        serve.SetAction((parsed, cancellationToken) => Server.RunAsync(
            new(
                listen.Read(parsed), cluster.Read(parsed), placement.Read(parsed), signing.Read(parsed), access.Read(parsed), database.Read(parsed),
                parsed.GetValue(legacyMetrics), parsed.GetValue(profiling), idle.Given(parsed), heads.Read(parsed)) { Prometheus = prometheus.Read(parsed), WebUiMetrics = parsed.GetValue(webUiMetrics) },
            cancellationToken));
        return serve;
    }
}
