using System.Collections.Concurrent;
using Hami.Domain.Protocol;
using Hami.NodeAgent.Plumbing;
using Hami.NodeAgent.Plumbing.Cluster;

namespace Hami.NodeAgent.Allocating;

/// <summary>Did our scheduler give these devices to this pod on this node? Told by the signature that the Binding carried.</summary>
internal sealed partial class SignatureCheck(AgentOptions options, ILogger<SignatureCheck> log) : IHostedService
{
    private readonly TrustedKeys keys = options.Keys;

    // A pod is looked at often, and its annotations hardly ever change.
    private readonly ConcurrentDictionary<string, (byte[] Message, string Annotation, bool Valid)> known = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, byte> unsigned = new(StringComparer.Ordinal);

    /// <summary>Pods let through without a signature since the start.</summary>
    public int AcceptedUnsigned => unsigned.Count;

    /// <summary>True when a pod without any trace of our scheduler may have devices.</summary>
    public bool AcceptsUnsigned => options.AcceptUnsigned;

    private bool Checks => !keys.ById.IsEmpty;

    /// <summary>Why its annotations do not count, as a sentence; null when they do.</summary>
    public string? Fault(Pod pod, string deviceList)
    {
        if (!Checks)
            return null;
        var who = $"Pod {pod.Namespace}/{pod.Name}";
        if (pod.Annotation(HamiKeys.AllocationSignature) is not { } annotation)
            return AcceptsUnsigned ? Accept(pod)
                : $"{who} carries no signature of the HAMi scheduler (annotation {HamiKeys.AllocationSignature}); if its scheduler has no --signing-key-file, give it one, "
                    + "then create the pod again.";
        IReadOnlyList<MigAllocation> mig;
        try
        {
            mig = pod.Annotation(HamiKeys.MigAllocations) is { } text ? MigAllocations.Decode(text) : [];
        }
        catch (FormatException e)
        {
            return $"{who}: {e.Message} Create the pod again.";
        }
        var message = AllocationSignature.MessageOf(pod.Uid, options.NodeName, pod.Annotation(HamiKeys.AllocationId) ?? "", deviceList, mig);
        if (!known.TryGetValue(pod.Uid, out var seen) || seen.Annotation != annotation || !seen.Message.AsSpan().SequenceEqual(message))
        {
            seen = (message, annotation, AllocationSignature.TryDecode(annotation) is { } signature && keys.Verify(signature, message));
            known[pod.Uid] = seen;
        }
        return seen.Valid ? null
            : $"{who} has annotations that the HAMi scheduler did not write for it on node {options.NodeName}: their signature {Key(annotation)} is not valid; "
                + "create the pod again, and let nobody but the scheduler write hami.io/ annotations.";
    }

    public void Forget(string podUid) => known.TryRemove(podUid, out _);

    public Task StartAsync(CancellationToken cancellationToken)
    {
        if (!Checks)
            LogUnchecked();
        else if (options.AcceptUnsigned)
            LogOpen(string.Join(' ', keys.ById.Keys));
        else
            LogChecked(string.Join(' ', keys.ById.Keys));
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private string? Accept(Pod pod)
    {
        if (unsigned.TryAdd(pod.Uid, 0))
            LogAccepted(pod.Namespace, pod.Name, pod.Uid, unsigned.Count);
        return null;
    }

    private string Key(string annotation) => AllocationSignature.TryDecode(annotation) switch
    {
        null => "cannot be read and",
        { KeyId: var id } when !keys.ById.ContainsKey(id) => $"by the unknown key {id}",
        { KeyId: var id } => $"by key {id}",
    };

    [LoggerMessage(LogLevel.Warning, "Whoever may write a pod's annotations can give it devices of this node, as --accept-unsigned asks: without --signing-public-key nothing tells the scheduler's from theirs")]
    private partial void LogUnchecked();

    [LoggerMessage(LogLevel.Information, "Devices are given for allocations signed by {Keys}")]
    private partial void LogChecked(string keys);

    [LoggerMessage(LogLevel.Warning, "Devices are given for allocations signed by {Keys}, and for unsigned ones: take --accept-unsigned away when the migration is over")]
    private partial void LogOpen(string keys);

    [LoggerMessage(LogLevel.Warning, "Pod {Namespace}/{Pod} ({PodUid}) is let through unsigned, {Count} so far")]
    private partial void LogAccepted(string @namespace, string pod, string podUid, int count);
}
