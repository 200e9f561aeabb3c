using Hami.Lab.Kubelet;
using k8s.Models;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hami.Tests.Lab;

using static ApiServerGiven;

/// <summary>What the kubelet writes of a pod's status is what stands there.</summary>
public sealed class KubeletStatus
{
    [Fact]
    public async Task A_reason_that_does_not_hold_any_more_is_gone()
    {
        await using var lab = await Running();
        var pod = await lab.Create(Pod("p"));
        var ready = new V1PodCondition { Type = "Ready", Status = "False", Reason = "ContainersNotReady", Message = "containers with unready status: [main]" };
        await using var writer = new PodStatusWriter(lab.Client, TimeProvider.System, NullLogger.Instance, () => pod, () => new() { Phase = "Running", Conditions = [ready] });

        Assert.True(await writer.Write());
        Assert.Equal("ContainersNotReady", Assert.Single((await lab.Read("p")).Status.Conditions, c => c.Type == "Ready").Reason);

        ready = new() { Type = "Ready", Status = "True" };
        Assert.True(await writer.Write());
        var now = Assert.Single((await lab.Read("p")).Status.Conditions, c => c.Type == "Ready");
        Assert.Equal(("True", null, null), (now.Status, now.Reason, now.Message));
    }
}
