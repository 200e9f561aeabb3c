using Hami.Api.Plumbing.Kubernetes;
using Hami.Domain.Placing;
using Hami.Domain.Protocol;
using k8s.Models;

namespace Hami.Api.Placing;

/// <summary>What a pod asks, by the configuration and the policy in force.</summary>
internal sealed class AskReader(NvidiaConfig config, PolicyInForce policy)
{
    /// <summary>The ask, or why it cannot be read.</summary>
    public (PodAsk? Ask, string? Error) Read(PodJson pod) => Read(() => pod.Shape(config.ResourceNames));

    /// <inheritdoc cref="Read(PodJson)"/>
    public (PodAsk? Ask, string? Error) Read(V1Pod pod) => Read(() => PodReading.Shape(pod, config.ResourceNames));

    private (PodAsk? Ask, string? Error) Read(Func<PodShape> shape)
    {
        try
        {
            var (ask, refused) = PodAskParser.Parse(shape(), config, policy.Now);
            return refused is null ? (ask, null) : (null, refused.Sentence);
        }
        catch (FormatException e)
        {
            return (null, e.Message);
        }
    }
}
