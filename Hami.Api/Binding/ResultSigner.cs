using Hami.Api.Plumbing;
using Hami.Domain.Protocol;

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
