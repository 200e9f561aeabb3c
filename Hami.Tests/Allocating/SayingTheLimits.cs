using Hami.NodeAgent.Allocating;
using Hami.NodeAgent.Plumbing.Settings;
using k8s.Models;
using static Hami.Tests.Allocating.NodePods;

namespace Hami.Tests.Allocating;

public sealed class SayingTheLimits
{
    [Fact]
    public void A_container_reads_its_cards_in_its_order_and_all_that_holds_for_it() => Assert.Equal(
        """
        hami-limits 1
        card GPU-b memory 4194304000 cores 60
        card GPU-a memory 3145728000 cores 0
        policy default
        priority 1
        agent /usr/local/vgpu/agent/agent.sock
        oversubscribe false
        end

        """, Text("GPU-b,NVIDIA,4000,60:GPU-a,NVIDIA,3000,0:;", new()));

    [Fact]
    public void Two_shares_of_one_card_are_one_budget() =>
        Assert.Contains("\ncard GPU-a memory 5242880000 cores 70\npolicy", Text("GPU-a,NVIDIA,2000,30:GPU-a,NVIDIA,3000,40:;", new()), StringComparison.Ordinal);

    [Theory]
    [InlineData(false, null, "default")]
    [InlineData(false, "force", "force")]
    [InlineData(false, "disable", "default")]
    [InlineData(false, "nonsense", "default")]
    [InlineData(true, null, "disable")]
    [InlineData(true, "default", "disable")]
    [InlineData(true, "force", "force")]
    [Trait("Scoreboard", "D07")]
    [Trait("Scoreboard", "D11")]
    public void The_core_policy_is_the_nodes_and_a_pod_may_only_ask_for_the_stricter(bool disabled, string? asked, string policy) =>
        Assert.Contains($"\npolicy {policy}\n", Text("GPU-a,NVIDIA,3000,50:;", new() { DisableCoreLimit = disabled }, ("GPU_CORE_UTILIZATION_POLICY", asked)), StringComparison.Ordinal);

    [Theory]
    [InlineData(null, 1)]
    [InlineData("0", 0)]
    [InlineData("5", 5)]
    [InlineData("-3", 1)]
    [InlineData("99999999999", 1)]
    [InlineData("high", 1)]
    [InlineData("0\nend", 1)]
    public void The_priority_is_what_admission_wrote(string? written, int priority) =>
        Assert.Contains($"\npriority {priority}\n", Text("GPU-a,NVIDIA,3000,50:;", new(), ("CUDA_TASK_PRIORITY", written)), StringComparison.Ordinal);

    [Theory]
    [InlineData("CUDA_DEVICE_MEMORY_LIMIT_0", "40g")]
    [InlineData("CUDA_DEVICE_SM_LIMIT", "100")]
    [InlineData("CUDA_OVERSUBSCRIBE", "true")]
    [InlineData("NVIDIA_VISIBLE_DEVICES", "all")]
    [InlineData("CUDA_DEVICE_MEMORY_SHARED_CACHE", "/tmp/mine")]
    [InlineData("CUDA_DISABLE_CONTROL", "true")]
    [InlineData("HAMI_MEMORY_ENFORCEMENT", "driver")]
    public void No_variable_of_the_pods_own_widens_anything(string name, string value) =>
        Assert.Equal(Text("GPU-a,NVIDIA,3000,50:;", new()), Text("GPU-a,NVIDIA,3000,50:;", new(), (name, value)));

    [Fact]
    public void Where_memory_is_scaled_up_a_card_may_be_full_before_its_shares_are() =>
        Assert.Contains("\noversubscribe true\n", Text("GPU-a,NVIDIA,3000,50:;", new() { MemoryScaling = 1.5 }), StringComparison.Ordinal);

    [Fact]
    public void Of_two_variables_of_one_name_the_later_counts_as_in_the_container()
    {
        var pod = Pod("p", "GPU-a,NVIDIA,3000,50:;", [1]);
        pod.Spec.Containers[0].Env = [new() { Name = "CUDA_TASK_PRIORITY", Value = "0" }, new() { Name = "CUDA_TASK_PRIORITY", Value = "1" }];
        Assert.Equal(1, Seen(pod).Containers[0].Priority);
    }

    private static string Text(string list, NodeSettings settings, params (string Name, string? Value)[] variables)
    {
        var pod = Pod("p", list, [list.Count(c => c == ':')]);
        pod.Spec.Containers[0].Env = [.. variables.Where(v => v.Value is not null).Select(v => new V1EnvVar { Name = v.Name, Value = v.Value })];
        return LimitsFile.Text(Seen(pod).Containers[0], Options(), settings);
    }
}
