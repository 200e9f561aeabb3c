using Hami.Api.Registering;
using k8s.Models;

namespace Hami.Tests.Registering;

/// <summary>What the API server says of a node is shown as it is, and what it does not say is not made up.</summary>
public sealed class KnowingTheFactsOfANode
{
    [Theory]
    [InlineData("True", "KubeletReady", "kubelet is posting ready status", true, null)]
    [InlineData("False", "KubeletNotReady", "container runtime is down", false, "KubeletNotReady: container runtime is down")]
    [InlineData("Unknown", "NodeStatusUnknown", "", false, "NodeStatusUnknown")]
    [InlineData("Unknown", null, null, false, "its condition Ready is Unknown")]
    [InlineData(null, null, null, false, "its kubelet has not said so yet")]
    public void A_node_is_ready_when_its_kubelet_says_so_and_otherwise_tells_why_not(string? status, string? reason, string? message, bool ready, string? because)
    {
        var conditions = new List<V1NodeCondition> { new() { Type = "MemoryPressure", Status = "False" } };
        if (status is not null)
            conditions.Add(new() { Type = "Ready", Status = status, Reason = reason, Message = message });

        var facts = NodeFacts.Of(new() { Metadata = new() { Name = "n1" }, Status = new() { Conditions = conditions } });

        Assert.Equal((ready, because), (facts.Ready, facts.NotReadyBecause));
    }

    [Theory]
    [InlineData("4", "16Gi", 4000L, 16384L)]
    [InlineData("3920m", "16384000Ki", 3920L, 16000L)]
    [InlineData("-1", "-1", null, null)]
    [InlineData(null, null, null, null)]
    public void What_pods_may_have_of_it_is_read_in_thousandths_of_a_core_and_MiB(string? cpu, string? memory, long? cpuMilli, long? memoryMiB)
    {
        var allocatable = new Dictionary<string, ResourceQuantity>(StringComparer.Ordinal);
        if (cpu is not null)
            allocatable["cpu"] = new(cpu);
        if (memory is not null)
            allocatable["memory"] = new(memory);

        var facts = NodeFacts.Of(new() { Metadata = new() { Name = "n1" }, Status = new() { Allocatable = allocatable } });

        Assert.Equal((cpuMilli, memoryMiB), (facts.CpuMilli, facts.HostMemoryMiB));
    }

    [Theory]
    [InlineData("Hostname=n1,InternalIP=10.0.0.7,ExternalIP=1.2.3.4", "10.0.0.7")]
    [InlineData("Hostname=n1,ExternalIP=1.2.3.4", "1.2.3.4")]
    [InlineData("Hostname=n1", "n1")]
    [InlineData("", null)]
    public void Its_address_is_the_one_within_the_cluster_if_it_has_one(string addresses, string? expected)
    {
        var node = new V1Node
        {
            Metadata = new() { Name = "n1" },
            Status = new() { Addresses = [.. addresses.Split(',', StringSplitOptions.RemoveEmptyEntries).Select(a => new V1NodeAddress { Type = a.Split('=')[0], Address = a.Split('=')[1] })] },
        };

        Assert.Equal(expected, NodeFacts.Of(node).Address);
    }

    [Fact]
    public void A_node_that_tells_nothing_has_empty_facts_and_takes_pods()
    {
        var facts = NodeFacts.Of(new() { Metadata = new() { Name = "n1" } });

        Assert.Equal(("", true, "", "", null, null), (facts.Uid, facts.Schedulable, facts.OsImage, facts.KubeletVersion, facts.CreatedAt, facts.AgentVersion));
        Assert.False(NodeFacts.Of(new() { Metadata = new() { Name = "n1" }, Spec = new() { Unschedulable = true } }).Schedulable);
    }
}
