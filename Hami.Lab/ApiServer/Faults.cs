using System.Collections.Concurrent;

namespace Hami.Lab.ApiServer;

/// <summary>A request as it arrived, complete with its body, and not applied yet.</summary>
public sealed record LabRequest(string Method, string Path, string Query, string UserAgent, ReadOnlyMemory<byte> Body)
{
    internal HeldRequest? Holder { get; set; }
}

/// <summary>What becomes of a request once its fault hook lets go of it.</summary>
public enum LabFault
{
    /// <summary>It is applied and answered.</summary>
    None,

    /// <summary>It is applied, and then the connection breaks instead of an answer.</summary>
    DropReply,

    /// <summary>The connection breaks and the request is never applied.</summary>
    DropRequest,
}

/// <summary>The network between the API server and its clients, made unreliable on purpose by tests.</summary>
/// <remarks>
/// A request is read to its end before the hook is asked, and applied after the hook's task completes, whether or not the client
/// is still there: a Binding held for a minute arrives a minute later even if its sender has been killed. What is held when the
/// server itself stops is lost, as it would be with a real one.
/// </remarks>
public sealed class LabFaults
{
    private readonly ConcurrentDictionary<HeldRequest, Func<LabRequest, bool>> _waiting = new();

    /// <summary>Asked for every request; null lets everything pass. Its task may take as long as the network shall be slow.</summary>
    public Func<LabRequest, Task<LabFault>>? BeforeApply { get; set; }

    /// <summary>Holds the next request that matches until it is released.</summary>
    public HeldRequest HoldNext(Func<LabRequest, bool> which)
    {
        var held = new HeldRequest();
        _waiting[held] = which;
        return held;
    }

    /// <summary>Holds the next Binding of a pod until it is released.</summary>
    public HeldRequest HoldNextBinding(string @namespace, string pod) =>
        HoldNext(r => r.Method == "POST" && r.Path == $"/api/v1/namespaces/{@namespace}/pods/{pod}/binding");

    internal async Task<LabFault> Pass(LabRequest request)
    {
        foreach (var (held, which) in _waiting)
        {
            // Taken out first, so that a retry of the same client is not held as well.
            if (which(request) && _waiting.TryRemove(held, out _))
                return await held.Hold(request);
        }
        return BeforeApply is { } hook ? await hook(request) : LabFault.None;
    }
}

/// <summary>One request stopped on its way into the server.</summary>
public sealed class HeldRequest
{
    private readonly TaskCompletionSource<LabRequest> _arrived = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<LabFault> _released = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _finished = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes when the request is here.</summary>
    public Task<LabRequest> Arrived => _arrived.Task;

    /// <summary>Completes when the request has been applied or dropped after its release.</summary>
    public Task Finished => _finished.Task;

    /// <summary>Lets the request go on.</summary>
    public void Release(LabFault fate = LabFault.None) => _released.TrySetResult(fate);

    internal Task<LabFault> Hold(LabRequest request)
    {
        request.Holder = this;
        _arrived.TrySetResult(request);
        return _released.Task;
    }

    internal void Finish() => _finished.TrySetResult();
}
