using Hami.Api.Plumbing;
using Hami.Domain.Protocol;
using k8s.Models;

namespace Hami.Api.Binding;

/// <summary>Signs what a Binding carries, so that node agents can tell our results from a user's.</summary>
/// <param name="key">Null when results go out unsigned.</param>
internal sealed partial class ResultSigner(SigningKey? key, ILogger<ResultSigner> logger) : IHostedService
{
    /// <summary>Adds the signature to the annotations of one pod's Binding.</summary>
    public void Sign(string podUid, string node, Dictionary<string, string> annotations)
    {
        if (key is null)
            return;
        var mig = annotations.TryGetValue(HamiKeys.MigAllocations, out var text) ? MigAllocations.Decode(text) : [];
        var signed = AllocationSignature.MessageOf(podUid, node, annotations[HamiKeys.AllocationId], annotations[HamiKeys.DevicesAllocated], mig);
        annotations[HamiKeys.AllocationSignature] = new AllocationSignature(key.Id, key.Sign(signed)).Encode();
    }

    /// <summary>Name of the key that results are signed with; null when they go out unsigned.</summary>
    public string? KeyId => key?.Id;

    /// <summary>Why the annotations of a pod are not what we have written for it on its node, in a sentence's part; null when they are.</summary>
    public string? WhyNotOurs(V1Pod pod)
    {
        if (key is null)
            return "there is no --signing-key-file to know our results by";
        if (AllocationSignature.TryDecode(pod.GetAnnotation(HamiKeys.AllocationSignature) ?? "") is not { } signature)
            return "its signature cannot be read";
        if (signature.KeyId != key.Id)
            return $"it is signed with the key {signature.KeyId}, and ours is {key.Id}";
        try
        {
            var mig = pod.GetAnnotation(HamiKeys.MigAllocations) is { } text ? MigAllocations.Decode(text) : [];
            var message = AllocationSignature.MessageOf(
                pod.Uid(), pod.Spec.NodeName ?? "", pod.GetAnnotation(HamiKeys.AllocationId) ?? "", pod.GetAnnotation(HamiKeys.DevicesAllocated) ?? "", mig);
            return key.Verify(signature, message) ? null : "its signature is not valid for this pod, on this node, with these shares";
        }
        catch (FormatException e)
        {
            return e.Message;
        }
    }

    public Task StartAsync(CancellationToken cancellationToken)
    {
        if (key is null)
            LogUnsigned(logger);
        else
            LogSigning(logger, key.Id);
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    [LoggerMessage(Level = LogLevel.Warning, Message = "Allocations go out unsigned: without --signing-key-file a node agent cannot tell them from what a user wrote.")]
    private static partial void LogUnsigned(ILogger logger);

    [LoggerMessage(Level = LogLevel.Information, Message = "Allocations are signed with key {KeyId}.")]
    private static partial void LogSigning(ILogger logger, string keyId);
}
