extern alias agent;

using agent::Kubelet.DevicePlugin.V1Beta1;
using Hami.NodeAgent.Allocating;
using Hami.NodeAgent.Plumbing;
using Hami.NodeAgent.Plumbing.Settings;
using static Hami.Tests.Allocating.NodePods;

namespace Hami.Tests.Allocating;

public sealed class AnsweringAllocate
{
    [Fact]
    public void One_card_gives_the_environment_of_HAMi_and_mounts_that_nobody_in_the_container_can_write()
    {
        var answer = Answered("GPU-a,NVIDIA,3000,50:;");

        Assert.Equal("GPU-a", answer.Envs["NVIDIA_VISIBLE_DEVICES"]);
        Assert.Equal("3000m", answer.Envs["CUDA_DEVICE_MEMORY_LIMIT_0"]);
        Assert.Equal("50", answer.Envs["CUDA_DEVICE_SM_LIMIT"]);
        Assert.Equal("/usr/local/vgpu/region", answer.Envs["CUDA_DEVICE_MEMORY_SHARED_CACHE"]);
        // Before what the image brings along.
        Assert.Equal("default", answer.Envs["GPU_CORE_UTILIZATION_POLICY"]);
        Assert.Equal(5, answer.Envs.Count);
        Assert.Equal(
        [
            "/usr/local/vgpu < /usr/local/vgpu/containers/uid-p_c0 ro",
            "/usr/local/vgpu/region < /usr/local/vgpu/containers/uid-p_c0/region rw",
            "/usr/local/vgpu/agent < /usr/local/vgpu/agent ro",
            "/etc/ld.so.preload < /usr/local/vgpu/ld.so.preload ro",
        ], answer.Mounts.Select(m => $"{m.ContainerPath} < {m.HostPath} {(m.ReadOnly ? "ro" : "rw")}"));
        Assert.Empty(answer.Devices);
        Assert.Empty(answer.Annotations);
        Assert.Empty(answer.CdiDevices);
    }

    [Fact]
    public void Two_cards_have_a_memory_limit_each_and_the_first_ones_compute_limit()
    {
        var answer = Answered("GPU-a,NVIDIA,3000,50:GPU-b,NVIDIA,4000,60:;");
        Assert.Equal("GPU-a,GPU-b", answer.Envs["NVIDIA_VISIBLE_DEVICES"]);
        Assert.Equal("3000m", answer.Envs["CUDA_DEVICE_MEMORY_LIMIT_0"]);
        Assert.Equal("4000m", answer.Envs["CUDA_DEVICE_MEMORY_LIMIT_1"]);
        Assert.Equal("50", answer.Envs["CUDA_DEVICE_SM_LIMIT"]);
    }

    [Theory]
    [InlineData(0.8, false)]
    [InlineData(1, false)]
    [InlineData(1.5, true)]
    public void Oversubscription_is_told_only_when_memory_is_scaled_up(double scaling, bool told) =>
        Assert.Equal(told, Answered("GPU-a,NVIDIA,3000,50:;", settings: new() { MemoryScaling = scaling }).Envs.ContainsKey("CUDA_OVERSUBSCRIBE"));

    [Fact]
    [Trait("Scoreboard", "D11")]
    public void The_librarys_log_level_and_the_core_policy_are_those_of_the_nodes_settings()
    {
        var usual = Answered("GPU-a,NVIDIA,3000,50:;").Envs;
        Assert.Equal((false, "default"), (usual.ContainsKey("LIBCUDA_LOG_LEVEL"), usual["GPU_CORE_UTILIZATION_POLICY"]));
        var set = Answered("GPU-a,NVIDIA,3000,50:;", settings: new() { LibCudaLogLevel = "4", DisableCoreLimit = true }).Envs;
        Assert.Equal(("4", "disable"), (set["LIBCUDA_LOG_LEVEL"], set["GPU_CORE_UTILIZATION_POLICY"]));
    }

    [Theory]
    [Trait("Scoreboard", "D08")]
    [InlineData(false, true, true)]
    [InlineData(true, true, false)]
    [InlineData(true, false, true)]
    public void A_container_that_turns_control_off_has_no_preload_file_where_the_node_allows_that(bool turnsOff, bool allowed, bool preloaded) =>
        Assert.Equal(preloaded, Answered(Share("GPU-a,NVIDIA,3000,50:;") with { Unlimited = turnsOff }, Options() with { Handing = new() { AllowsNoControl = allowed } })
            .Mounts.Any(m => m.ContainerPath == "/etc/ld.so.preload"));

    [Fact]
    public void The_same_question_has_the_same_answer() =>
        Assert.Equal(Answered("GPU-a,NVIDIA,3000,50:;"), Answered("GPU-a,NVIDIA,3000,50:;"));

    [Fact]
    public void An_answer_for_sixteen_cards_is_small() =>
        Assert.True(Answered(string.Concat(Enumerable.Range(0, 16).Select(i => $"GPU-03f69c50-207a-2038-9b45-{i:x12},NVIDIA,81920,100:")) + ";").CalculateSize() < 4096);

    private static ContainerAllocateResponse Answered(string list, AgentOptions? options = null, NodeSettings? settings = null) => Answered(Share(list), options, settings);

    private static ContainerAllocateResponse Answered(ContainerShare share, AgentOptions? options = null, NodeSettings? settings = null) => Answer.For("uid-p", share,
        DeviceAnswer.For(share.Devices.Select((d, i) => new HandedDevice(d.Uuid, $"{i}", [$"/dev/nvidia{i}"])), (options ?? Options()).Handing, new(_ => [])),
        options ?? Options(), settings ?? new(), new(options ?? Options(), new HostFiles()));

    private static ContainerShare Share(string list) => Seen(Pod("p", list, [list.Count(c => c == ':')])).Containers[0];
}
