extern alias lab;

using Hami.Lab.Kubelet;
using k8s.Models;
using lab::Kubelet.DevicePlugin.V1Beta1;

namespace Hami.Tests.Lab;

/// <summary>What a container's process starts with.</summary>
public sealed class KubeletContainerEnvironment
{
    private static readonly NodeSurroundings Node = new("node-a", "/lab/bin", "/lab/driver", "/lab/devices.yaml", "/usr/bin:/bin");

    [Fact]
    public void A_container_without_devices_sees_no_card() =>
        Assert.Equal("none", Plan(new() { Name = "c" }).Environment["NVIDIA_VISIBLE_DEVICES"]);

    [Fact]
    public void A_container_without_devices_that_asks_for_all_cards_keeps_its_word() =>
        Assert.Equal("all", Plan(new() { Name = "c", Env = [new() { Name = "NVIDIA_VISIBLE_DEVICES", Value = "all" }] }).Environment["NVIDIA_VISIBLE_DEVICES"]);

    [Fact]
    public void The_pods_own_value_wins_over_the_plugins()
    {
        var answer = new ContainerAllocateResponse { Envs = { ["A"] = "plugin", ["B"] = "plugin" } };

        var environment = Plan(new() { Name = "c", Env = [new() { Name = "A", Value = "pod" }] }, answer).Environment;

        Assert.Equal("pod", environment["A"]);
        Assert.Equal("plugin", environment["B"]);
        Assert.False(environment.ContainsKey("NVIDIA_VISIBLE_DEVICES"));
    }

    [Fact]
    public void Programs_driver_and_homes_are_the_nodes()
    {
        var environment = Plan(new() { Name = "c", Env = [new() { Name = "LD_LIBRARY_PATH", Value = "/opt/lib" }] }).Environment;

        Assert.Equal("/lab/bin:/usr/bin:/bin", environment["PATH"]);
        Assert.Equal("/lab/driver:/opt/lib", environment["LD_LIBRARY_PATH"]);
        Assert.Equal("/lab/devices.yaml", environment["HAMI_FAKE_DRIVER"]);
        Assert.Equal("/run/pod", environment["HOME"]);
        Assert.Equal("/run/pod/tmp", environment["TMPDIR"]);
    }

    [Theory]
    [InlineData("metadata.name", "train")]
    [InlineData("metadata.namespace", "team")]
    [InlineData("metadata.uid", "u-1")]
    [InlineData("spec.nodeName", "node-a")]
    [InlineData("metadata.labels['app']", "x")]
    public void Fields_of_the_pod_become_values(string path, string value) =>
        Assert.Equal(value, Plan(new() { Name = "c", Env = [FromField(path)] }).Environment["V"]);

    [Fact]
    public void An_unknown_source_is_one_clear_sentence()
    {
        var refused = Assert.Throws<ContainerConfigException>(() => Plan(new() { Name = "c", Env = [FromField("status.unknown")] }));

        Assert.Equal("The environment variable V asks for the field status.unknown, which this node does not know.", refused.Message);
    }

    [Fact]
    public void References_are_expanded_in_command_args_and_later_values()
    {
        var plan = Plan(new()
        {
            Name = "c",
            Command = ["run", "$(A)"],
            Args = ["$(NOBODY)", "$$(A)", "x$(B)y"],
            Env = [new() { Name = "A", Value = "1" }, new() { Name = "B", Value = "$(A)2" }],
        });

        Assert.Equal(["run", "1", "$(NOBODY)", "$(A)", "x12y"], plan.Command);
    }

    [Fact]
    public void A_container_without_a_command_stays_with_lab_smi() =>
        Assert.Equal(["lab-smi", "--stay"], Plan(new() { Name = "c" }).Command);

    [Fact]
    public void A_path_under_a_mount_is_where_the_host_has_it_and_the_longest_mount_wins()
    {
        var answer = new ContainerAllocateResponse
        {
            Envs = { ["REGION"] = "/usr/local/vgpu/r/1.cache", ["OTHER"] = "/usr/local/vgpuX/r", ["LIB"] = "/usr/local/vgpu/libvgpu.so" },
            Mounts =
            {
                new Mount { ContainerPath = "/usr/local/vgpu", HostPath = "/host/vgpu" },
                new Mount { ContainerPath = "/usr/local/vgpu/r", HostPath = "/host/regions/u-1" },
            },
        };

        var environment = Plan(new() { Name = "c" }, answer).Environment;

        Assert.Equal("/host/regions/u-1/1.cache", environment["REGION"]);
        Assert.Equal("/host/vgpu/libvgpu.so", environment["LIB"]);
        Assert.Equal("/usr/local/vgpuX/r", environment["OTHER"]);
    }

    [Fact]
    public void A_mounted_preload_file_becomes_LD_PRELOAD_with_host_paths()
    {
        var file = Path.GetTempFileName();
        File.WriteAllText(file, "# ours\n/usr/local/vgpu/libvgpu.so\n/opt/other.so\n");
        var answer = new ContainerAllocateResponse
        {
            Mounts =
            {
                new Mount { ContainerPath = "/usr/local/vgpu/libvgpu.so", HostPath = "/host/libvgpu.so.v1" },
                new Mount { ContainerPath = "/etc/ld.so.preload", HostPath = file },
            },
        };

        Assert.Equal("/host/libvgpu.so.v1:/opt/other.so", Plan(new() { Name = "c" }, answer).Environment["LD_PRELOAD"]);
        File.Delete(file);
    }

    private static V1EnvVar FromField(string path) => new() { Name = "V", ValueFrom = new() { FieldRef = new() { FieldPath = path } } };

    private static LaunchPlan Plan(V1Container container, params ContainerAllocateResponse[] answers)
    {
        var pod = new V1Pod
        {
            Metadata = new() { Name = "train", NamespaceProperty = "team", Uid = "u-1", Labels = new Dictionary<string, string>(StringComparer.Ordinal) { ["app"] = "x" } },
            Spec = new() { Containers = [container] },
        };
        return ContainerEnvironment.Plan(pod, container, answers, Node, "/run/pod");
    }
}
