using k8s.Models;

namespace Hami.Lab.Kubelet.Lifecycle;

/// <summary>What a container wants done right after it starts and right before it is asked to stop.</summary>
internal static class Hooks
{
    public static Task<HandlerResult> Run(
        V1LifecycleHandler hook, ContainerState container, IRunningContainer process, Handlers handlers, TimeProvider time, CancellationToken cancellationToken)
    {
        // Nobody but the pod's grace bounds a hook.
        var patience = Timeout.InfiniteTimeSpan;
        return hook switch
        {
            { Exec.Command: { } command } => handlers.Exec(process, command, patience, cancellationToken),
            { HttpGet: { } get } => handlers.Get(get, container.Container, patience, cancellationToken),
            { Sleep: { } sleep } => Sleep(TimeSpan.FromSeconds(sleep.Seconds), time, cancellationToken),
            _ => Task.FromResult(HandlerResult.Failed("this node runs exec, httpGet and sleep hooks only")),
        };
    }

    private static async Task<HandlerResult> Sleep(TimeSpan length, TimeProvider time, CancellationToken cancellationToken)
    {
        await Task.Delay(length, time, cancellationToken);
        return HandlerResult.Fine;
    }
}
