using k8s.Models;

namespace Hami.Lab.Kubelet.Lifecycle;

/// <summary>Who hears what the probes of a container find.</summary>
/// <param name="Changed">The container has started, or is ready, or no longer is.</param>
/// <param name="Unhealthy">One probe failed: its kind and why.</param>
/// <param name="Kill">The container has failed a probe of this kind for good; the probe tells its own grace.</param>
internal sealed record ProbeListener(Action Changed, Action<string, string> Unhealthy, Action<string, V1Probe> Kill);

/// <summary>The probes of one run of a container: nothing else until the startup probe has passed, then liveness and readiness.</summary>
internal sealed class Probes(ContainerState container, IRunningContainer process, Handlers handlers, ProbeListener tell, TimeProvider time)
{
    public async Task Run(CancellationToken ended)
    {
        if (container.Container.StartupProbe is { } startup)
        {
            var passed = false;
            await Repeat("Startup", startup, ok =>
            {
                passed = ok;
                return false;
            }, ended);
            if (!passed)
            {
                tell.Kill("startup", startup);
                return;
            }
        }
        container.HasStarted = true;
        container.IsReadyByProbe = container.Container.ReadinessProbe is null;
        tell.Changed();
        await Task.WhenAll(
            container.Container.LivenessProbe is { } liveness ? Live(liveness, ended) : Task.CompletedTask,
            container.Container.ReadinessProbe is { } readiness ? Repeat("Readiness", readiness, SetReady, ended) : Task.CompletedTask);
    }

    private Task Live(V1Probe probe, CancellationToken ended) => Repeat("Liveness", probe, ok =>
    {
        if (!ok)
            tell.Kill("liveness", probe);
        return ok;
    }, ended);

    private bool SetReady(bool ready)
    {
        if (container.IsReadyByProbe != ready)
        {
            container.IsReadyByProbe = ready;
            tell.Changed();
        }
        return true;
    }

    // Calls the verdict each time a threshold is reached, until it says no.
    private async Task Repeat(string kind, V1Probe probe, Func<bool, bool> verdict, CancellationToken ended)
    {
        var first = container.StartedAt + TimeSpan.FromSeconds(probe.InitialDelaySeconds ?? 0) - time.GetUtcNow();
        if (first > TimeSpan.Zero)
            await Task.Delay(first, time, ended);
        var last = false;
        for (var run = 0; ;)
        {
            var result = await Once(probe, ended);
            run = run > 0 && result.Succeeded == last ? run + 1 : 1;
            last = result.Succeeded;
            if (!result.Succeeded)
                tell.Unhealthy(kind, result.Said);
            var enough = result.Succeeded ? probe.SuccessThreshold ?? 1 : probe.FailureThreshold ?? 3;
            if (run >= enough && !verdict(result.Succeeded))
                return;
            await Task.Delay(TimeSpan.FromSeconds(probe.PeriodSeconds ?? 10), time, ended);
        }
    }

    private Task<HandlerResult> Once(V1Probe probe, CancellationToken ended)
    {
        var patience = TimeSpan.FromSeconds(probe.TimeoutSeconds ?? 1);
        return probe switch
        {
            { Exec.Command: { } command } => handlers.Exec(process, command, patience, ended),
            { HttpGet: { } get } => handlers.Get(get, container.Container, patience, ended),
            { TcpSocket: { } tcp } => handlers.Knock(tcp, container.Container, patience, ended),
            _ => Task.FromResult(HandlerResult.Failed("this node makes exec, httpGet and tcpSocket probes only")),
        };
    }
}
