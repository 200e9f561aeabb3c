using k8s.Models;

namespace Hami.Lab.Kubelet;

/// <summary>Where one container of a pod stands.</summary>
internal sealed class ContainerState(V1Container container, bool isInit)
{
    public V1Container Container { get; } = container;

    public bool IsInit { get; } = isInit;

    public bool IsSidecar => IsInit && Asking.IsSidecar(Container);

    public int Restarts { get; set; }

    /// <summary>Set while the container runs.</summary>
    public IRunningContainer? Process { get; set; }

    /// <summary>When the log of this run was written, and that of the run before.</summary>
    public LogClock? Clock { get; set; }

    public LogClock? ClockBefore { get; set; }

    public string? Id { get; set; }

    public DateTimeOffset StartedAt { get; set; }

    public V1ContainerStateTerminated? Ended { get; set; }

    public V1ContainerStateTerminated? EndedBefore { get; set; }

    public (string Reason, string? Message) Waiting { get; set; } = (isInit ? "PodInitializing" : "ContainerCreating", null);

    public bool Runs => Process is not null;

    /// <summary>Whether it runs and has passed its startup probe.</summary>
    public bool HasStarted { get; set; }

    public bool IsReadyByProbe { get; set; }

    public bool IsReady => Runs && HasStarted && IsReadyByProbe;

    public bool Succeeded => Ended is { ExitCode: 0 };

    /// <summary>Takes over what an earlier run of this kubelet had reported; a container that ran then has been killed since.</summary>
    public void Restore(V1ContainerStatus status, DateTimeOffset now)
    {
        Restarts = status.RestartCount;
        Id = status.ContainerID;
        EndedBefore = status.LastState?.Terminated;
        if (status.State?.Terminated is { } ended)
            Ended = ended;
        else if (status.State?.Running is { } running)
        {
            Ended = new()
            {
                ExitCode = 137,
                Reason = "ContainerStatusUnknown",
                Message = "The container could not be located when the kubelet started again.",
                StartedAt = running.StartedAt,
                FinishedAt = now.UtcDateTime,
                ContainerID = Id,
            };
        }
    }

    public V1ContainerStatus Status() => new()
    {
        Name = Container.Name,
        Image = Container.Image ?? "",
        ImageID = "",
        ContainerID = Id,
        RestartCount = Restarts,
        Ready = IsInit && !IsSidecar ? Succeeded : IsReady,
        Started = Runs && HasStarted,
        State = Runs ? new() { Running = new() { StartedAt = StartedAt.UtcDateTime } }
            : Ended is not null ? new() { Terminated = Ended }
            : new() { Waiting = new() { Reason = Waiting.Reason, Message = Waiting.Message } },
        LastState = EndedBefore is null ? new() : new() { Terminated = EndedBefore },
    };
}
