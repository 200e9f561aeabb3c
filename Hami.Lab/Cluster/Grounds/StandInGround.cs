using Hami.Lab.ApiServer;
using Hami.Lab.Controllers;
using Hami.Lab.Scheduler;
using k8s;
using k8s.Models;

namespace Hami.Lab.Cluster;

/// <summary>Our stand-ins for kube-apiserver, the controllers and kube-scheduler, in this process.</summary>
internal sealed class StandInGround : LabGround
{
    private readonly ILoggerFactory _logging;
    private readonly TimeProvider _time;

    private StandInGround(LabApiServer server, LabPaths paths, ILoggerFactory logging, TimeProvider time)
    {
        (ApiServer, Kubeconfig, AuthorityDirectory, _logging, _time) = (server, paths.Kubeconfig, paths.Root, logging, time);
        Kubernetes = new Kubernetes(KubernetesClientConfiguration.BuildConfigFromConfigFile(paths.Kubeconfig));
    }

    public LabApiServer ApiServer { get; }

    private LabControllers? Controllers { get; set; }

    public override string Kubeconfig { get; }

    public override IKubernetes Kubernetes { get; }

    public override string Namespace => "default";

    public override string SchedulerName => "hami-scheduler";

    public override string AuthorityDirectory { get; }

    public static async Task<StandInGround> StartAsync(LabPaths paths, int port, ILoggerFactory logging, TimeProvider time, CancellationToken ct)
    {
        var server = await LabApiServer.StartAsync(new LabApiServerOptions { Port = port, StorePath = paths.ApiServerStore, Time = time }, ct);
        await File.WriteAllTextAsync(paths.Kubeconfig, server.Kubeconfig, ct);
        var ground = new StandInGround(server, paths, logging, time);
        try
        {
            ground.Controllers = await LabControllers.StartAsync(new() { Kubernetes = ground.Kubernetes, Time = time, Logging = logging }, ct);
            return ground;
        }
        catch
        {
            await ground.DisposeAsync();
            throw;
        }
    }

    public override async Task<IAsyncDisposable?> StartSchedulerAsync(ExtenderOptions extender, CancellationToken ct) =>
        await LabScheduler.StartAsync(
            new LabSchedulerOptions
            {
                Kubernetes = Kubernetes,
                Extenders = [extender],
                PercentageOfNodesToScore = 100,
                Time = _time,
                Logging = _logging,
            },
            ct);

    public override async ValueTask DisposeAsync()
    {
        if (Controllers is not null)
            await Controllers.DisposeAsync();
        Kubernetes.Dispose();
        await ApiServer.DisposeAsync();
    }

    // The product's own is Fail, narrowed by matchConditions to pods that name our resources. The stand-in API server evaluates
    // no CEL, and an unnarrowed Fail would stop every pod while the control plane is down. A pod that slips by unseen is
    // still placed by the extender, as the scheduler asks it for every pod with our resources; it only lacks the defaults.
    protected override V1MutatingWebhookConfiguration Webhook(Uri url, string authorityPem) =>
        PodWebhook.Configuration("hami-webhook", url, authorityPem, failurePolicy: "Ignore");
}
