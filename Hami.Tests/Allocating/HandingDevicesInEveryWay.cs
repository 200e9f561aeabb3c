extern alias agent;

using System.CommandLine;
using System.Text.Json.Nodes;
using agent::Kubelet.DevicePlugin.V1Beta1;
using Hami.NodeAgent.Allocating;
using Hami.NodeAgent.Plumbing;
using Hami.NodeAgent.Registering;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hami.Tests.Allocating;

/// <summary>NVIDIA's strategies, alone and together: a table from flags and what is in <c>/dev</c> to the answer.</summary>
public sealed class HandingDevicesInEveryWay : IDisposable
{
    private static readonly HandedDevice A = new("GPU-a", "0", ["/dev/nvidia0"]);
    private static readonly HandedDevice B = new("GPU-b", "1", ["/dev/nvidia1"]);

    private static readonly string[] Everything =
    [
        "/dev/gdrdrv", "/dev/infiniband/rdma_cm", "/dev/infiniband/uverbs0", "/dev/nvidia-caps-imex-channels/channel0", "/dev/nvidia-fs0", "/dev/nvidia-fs1",
        "/dev/nvidia-modeset", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools", "/dev/nvidiactl",
    ];

    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("hami");

    public void Dispose() => folder.Delete(recursive: true);

    [Theory]
    [Trait("Scoreboard", "F12")]
    [Trait("Node", "case 35")]
    [InlineData("", "NVIDIA_VISIBLE_DEVICES=GPU-b,GPU-a")]
    [InlineData("--device-id-strategy index", "NVIDIA_VISIBLE_DEVICES=1,0")]
    [InlineData("--device-list-strategy volume-mounts",
        "NVIDIA_VISIBLE_DEVICES=/var/run/nvidia-container-devices /dev/null>/var/run/nvidia-container-devices/GPU-b /dev/null>/var/run/nvidia-container-devices/GPU-a")]
    [InlineData("--device-list-strategy cdi-annotations", "cdi.k8s.io/nvidia-device-plugin_*=k8s.device-plugin.nvidia.com/gpu=GPU-b,k8s.device-plugin.nvidia.com/gpu=GPU-a")]
    [InlineData("--device-list-strategy cdi-annotations --cdi-annotation-prefix x.io/", "x.io/nvidia-device-plugin_*=k8s.device-plugin.nvidia.com/gpu=GPU-b,k8s.device-plugin.nvidia.com/gpu=GPU-a")]
    [InlineData("--device-list-strategy cdi-cri --device-id-strategy index", "cdi:k8s.device-plugin.nvidia.com/gpu=1 cdi:k8s.device-plugin.nvidia.com/gpu=0")]
    [InlineData("--device-list-strategy envvar,cdi-cri", "NVIDIA_VISIBLE_DEVICES=GPU-b,GPU-a cdi:k8s.device-plugin.nvidia.com/gpu=GPU-b cdi:k8s.device-plugin.nvidia.com/gpu=GPU-a")]
    [InlineData("--pass-device-specs", "NVIDIA_VISIBLE_DEVICES=GPU-b,GPU-a dev:/dev/nvidiactl dev:/dev/nvidia-uvm dev:/dev/nvidia-uvm-tools dev:/dev/nvidia-modeset dev:/dev/nvidia1 dev:/dev/nvidia0")]
    [InlineData("--pass-device-specs --nvidia-driver-root /run/nvidia/driver",
        "NVIDIA_VISIBLE_DEVICES=GPU-b,GPU-a dev:/run/nvidia/driver/dev/nvidiactl>/dev/nvidiactl dev:/run/nvidia/driver/dev/nvidia-uvm>/dev/nvidia-uvm dev:/run/nvidia/driver/dev/nvidia-uvm-tools>/dev/nvidia-uvm-tools dev:/run/nvidia/driver/dev/nvidia-modeset>/dev/nvidia-modeset dev:/run/nvidia/driver/dev/nvidia1>/dev/nvidia1 dev:/run/nvidia/driver/dev/nvidia0>/dev/nvidia0")]
    [InlineData("--pass-device-specs=false --nvidia-dev-root /x", "NVIDIA_VISIBLE_DEVICES=GPU-b,GPU-a")]
    [Trait("Scoreboard", "F11")]
    public void Each_strategy_names_the_containers_devices_in_its_order(string flags, string expected) => Assert.Equal(expected, Answered(flags));

    [Theory]
    [Trait("Scoreboard", "F13")]
    [InlineData("--gdrcopy-enabled --gds-enabled --mofed-enabled", "NVIDIA_GDRCOPY=enabled NVIDIA_GDS=enabled NVIDIA_MOFED=enabled NVIDIA_VISIBLE_DEVICES=GPU-b,GPU-a")]
    [InlineData("--imex-channel-ids 0", "NVIDIA_IMEX_CHANNELS=0 NVIDIA_VISIBLE_DEVICES=GPU-b,GPU-a")]
    [InlineData("--imex-channel-ids [0] --device-list-strategy volume-mounts",
        "NVIDIA_VISIBLE_DEVICES=/var/run/nvidia-container-devices /dev/null>/var/run/nvidia-container-devices/GPU-b /dev/null>/var/run/nvidia-container-devices/GPU-a /dev/null>/var/run/nvidia-container-devices/imex/0")]
    [InlineData("--imex-channel-ids 0 --gds-enabled --device-list-strategy cdi-cri",
        "cdi:k8s.device-plugin.nvidia.com/gpu=GPU-b cdi:k8s.device-plugin.nvidia.com/gpu=GPU-a cdi:k8s.device-plugin.nvidia.com/imex-channel=0 cdi:k8s.device-plugin.nvidia.com/gds=all")]
    public void Each_extra_is_named_in_the_way_of_the_strategy(string flags, string expected) => Assert.Equal(expected, Answered(flags));

    [Fact]
    [Trait("Scoreboard", "F13")]
    public void What_the_node_lacks_is_left_out_and_a_channel_that_must_be_there_stops_the_start()
    {
        Assert.Equal("NVIDIA_VISIBLE_DEVICES=GPU-b,GPU-a dev:/dev/nvidia1 dev:/dev/nvidia0", Answered("--imex-channel-ids 0 --pass-device-specs", has: []));
        Assert.Equal("cdi:k8s.device-plugin.nvidia.com/gpu=GPU-b cdi:k8s.device-plugin.nvidia.com/gpu=GPU-a", Answered("--gds-enabled --device-list-strategy cdi-cri", has: []));
        Assert.Null(Options("--imex-channel-ids 0").Missing(Folder([])));
        Assert.Null(Options("--imex-channel-ids 0 --imex-required").Missing(Folder(Everything)));
        Assert.Contains("the node has no /dev/nvidia-caps-imex-channels/channel0", Options("--imex-channel-ids 0 --imex-required").Missing(Folder([])), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--device-list-strategy envars", "--device-list-strategy is \"envars\"; give envvar, volume-mounts, cdi-annotations or cdi-cri.")]
    [InlineData("--device-id-strategy name", "--device-id-strategy is \"name\"; give uuid or index.")]
    [InlineData("--pass-device-specs=maybe", "--pass-device-specs is \"maybe\"; give true or false.")]
    [InlineData("--imex-channel-ids x", "--imex-channel-ids is \"x\"; give 0 or nothing.")]
    [InlineData("--imex-channel-ids 0,1", "--imex-channel-ids is 0,1; only channel 0 can be given, or none.")]
    [InlineData("--nvidia-driver-root run", "--nvidia-driver-root is \"run\"; give a path from the root.")]
    [InlineData("--cdi-annotation-prefix cdi", "--cdi-annotation-prefix is \"cdi\"; it must end with a slash, such as cdi.k8s.io/.")]
    [InlineData("--device-list-strategy ,", "--device-list-strategy is empty; give envvar, volume-mounts, cdi-annotations or cdi-cri.")]
    public void A_flag_that_cannot_be_meant_is_a_sentence(string flags, string sentence)
    {
        var said = Record.Exception(() => Assert.Equal(sentence, Options(flags).Fault()));
        if (said is not null)
            Assert.Equal(sentence, Assert.IsType<InvalidOperationException>(said).Message);
    }

    [Fact]
    public void Names_that_NVIDIA_also_has_and_switches_with_a_value_are_taken()
    {
        var how = Options("--dev-root /d --container-driver-root /c --nvidia-ctk-path /x/nvidia-ctk --gds-enabled=TRUE --allow-disable-control false");
        Assert.Equal(("/d", "/c", "/x/nvidia-ctk", true, false), (how.DevRoot, how.DriverRootHere, how.CdiHook, how.Gds, how.AllowsNoControl));
        Assert.Equal(("/", "/driver-root", "/usr/bin/nvidia-ctk", false, true), (Options("").DevRoot, Options("").DriverRootHere, Options("").CdiHook, Options("").Gds, Options("").AllowsNoControl));
    }

    [Fact]
    [Trait("Scoreboard", "F11")]
    public void Under_CDI_alone_library_and_limits_come_by_the_answers_own_mounts()
    {
        var options = NodePods.Options() with { Handing = Options("--device-list-strategy cdi-annotations") };
        var share = NodePods.Seen(NodePods.Pod("p", "GPU-b,NVIDIA,3000,50:;", [1])).Containers[0];
        var answer = Answer.For("uid-p", share, DeviceAnswer.For([B], options.Handing, Folder(Everything)), options, new(), new(options));

        Assert.DoesNotContain(answer.Envs, e => e.Key.StartsWith("NVIDIA_", StringComparison.Ordinal));
        Assert.Equal("k8s.device-plugin.nvidia.com/gpu=GPU-b", Assert.Single(answer.Annotations).Value);
        Assert.Equal("3000m", answer.Envs["CUDA_DEVICE_MEMORY_LIMIT_0"]);
        Assert.Contains(answer.Mounts, m => m is { ContainerPath: "/usr/local/vgpu", ReadOnly: true });
        Assert.Contains(answer.Mounts, m => m.ContainerPath == "/etc/ld.so.preload");
    }

    [Fact]
    [Trait("Scoreboard", "F11")]
    public void A_spec_names_each_card_by_uuid_and_index_with_its_nodes_and_the_drivers_libraries_for_all()
    {
        var files = CdiSpec.Files([A, B], Options("--device-list-strategy cdi-cri --nvidia-driver-root /run/nvidia/driver --imex-channel-ids 0 --gds-enabled --mofed-enabled --gdrcopy-enabled"),
            Folder(Everything), Driver());

        Assert.Equal(["gdrcopy", "gds", "gpu", "imex-channel", "mofed"], files.Keys.Select(f => f["k8s.device-plugin.nvidia.com-".Length..^".json".Length]));
        var spec = JsonNode.Parse(files["k8s.device-plugin.nvidia.com-gpu.json"])!;
        Assert.Equal("0.5.0", spec["cdiVersion"]!.GetValue<string>());
        Assert.Equal("k8s.device-plugin.nvidia.com/gpu", spec["kind"]!.GetValue<string>());
        Assert.Equal(["GPU-a", "0", "GPU-b", "1"], spec["devices"]!.AsArray().Select(d => d!["name"]!.GetValue<string>()));
        Assert.Equal("""[{"path":"/dev/nvidia1","hostPath":"/run/nvidia/driver/dev/nvidia1"}]""", spec["devices"]![2]!["containerEdits"]!["deviceNodes"]!.ToJsonString());
        var common = spec["containerEdits"]!;
        Assert.Equal(4, common["deviceNodes"]!.AsArray().Count);
        Assert.Equal("""["NVIDIA_VISIBLE_DEVICES=void"]""", common["env"]!.ToJsonString());
        Assert.Equal(
            ["/usr/lib/x86_64-linux-gnu/libcuda.so.580.1.2", "/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.580.1.2", "/usr/bin/nvidia-smi"],
            common["mounts"]!.AsArray().Select(m => m!["containerPath"]!.GetValue<string>()));
        Assert.Equal("/run/nvidia/driver/usr/bin/nvidia-smi", common["mounts"]![2]!["hostPath"]!.GetValue<string>());
        Assert.Equal(
            ["nvidia-ctk hook create-symlinks --link libcuda.so.1::/usr/lib/x86_64-linux-gnu/libcuda.so", "nvidia-ctk hook update-ldcache --folder /usr/lib/x86_64-linux-gnu"],
            common["hooks"]!.AsArray().Select(h => string.Join(' ', h!["args"]!.AsArray().Select(a => a!.GetValue<string>()))));
        Assert.Equal("""["/dev/infiniband/uverbs0","/dev/infiniband/rdma_cm"]""",
            new JsonArray([.. JsonNode.Parse(files["k8s.device-plugin.nvidia.com-mofed.json"])!["devices"]![0]!["containerEdits"]!["deviceNodes"]!.AsArray().Select(n => n!["path"]!.DeepClone())]).ToJsonString());
    }

    [Fact]
    public void A_hook_program_of_its_own_is_called_by_its_verbs_alone() =>
        Assert.Contains("\"nvidia-cdi-hook\",\n          \"update-ldcache\"",
            CdiSpec.Files([A], Options("--device-list-strategy cdi-cri --nvidia-cdi-hook-path /opt/nvidia-cdi-hook"), Folder([]), Driver()).Values.Single(), StringComparison.Ordinal);

    [Fact]
    [Trait("Scoreboard", "F11")]
    public async Task Specs_follow_the_cards_and_the_MIG_devices_and_are_not_written_again_for_nothing()
    {
        var specs = Path.Combine(folder.FullName, "cdi");
        var inventory = new CardInventory([new("GPU-a", "NVIDIA A100", 40960, null, true)]);
        var options = NodePods.Options() with
        {
            Handing = new() { Strategies = [DeviceListStrategy.CdiCri], CdiSpecDir = specs, DevHere = Path.Combine(folder.FullName, "dev"), DriverRootHere = Path.Combine(folder.FullName, "root") },
        };
        var cdi = new CdiDevices(inventory, options, new HostFiles(), TimeProvider.System, NullLogger<CdiDevices>.Instance);
        await cdi.StartAsync(CancellationToken.None);
        var file = Path.Combine(specs, "k8s.device-plugin.nvidia.com-gpu.json");
        var first = Inodes.Of(file);
        Assert.Equal(["GPU-a", "0"], Names());

        cdi.Set([]);
        Assert.Equal(first, Inodes.Of(file));
        inventory.Set([new("GPU-a", "NVIDIA A100", 40960, null, true), new("GPU-b", "NVIDIA A100", 40960, null, true) { Index = 1, Minor = 1 }]);
        await AgentOnANode.Eventually(() => Names().Count() == 4);
        cdi.Set([new("MIG-x", "0:0", ["/dev/nvidia0", "/dev/nvidia-caps/nvidia-cap30", "/dev/nvidia-caps/nvidia-cap31"])]);
        Assert.Equal(["GPU-a", "0", "GPU-b", "1", "MIG-x", "0:0"], Names());
        Assert.Equal([file], Directory.GetFiles(specs));
        await cdi.StopAsync(CancellationToken.None);

        IEnumerable<string> Names() => JsonNode.Parse(File.ReadAllText(file))!["devices"]!.AsArray().Select(d => d!["name"]!.GetValue<string>());
    }

    [Fact]
    [Trait("Scoreboard", "F12")]
    public void Device_nodes_are_found_where_they_are_mounted()
    {
        foreach (var node in new[] { "nvidiactl", "nvidia-fs0", "nvidia-caps-imex-channels/channel0" })
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(folder.FullName, node))!);
            File.WriteAllText(Path.Combine(folder.FullName, node), "");
        }
        var found = DeviceFolder.Of(new() { DevHere = folder.FullName, ImexChannels = [0] });
        Assert.Equal(["/dev/nvidiactl"], found.Common);
        Assert.Equal(["/dev/nvidia-fs0"], found.BeginningWith("/dev/nvidia-fs"));
        Assert.Equal([0], found.Channels(new() { ImexChannels = [0] }));
    }

    private DriverFiles Driver()
    {
        foreach (var file in new[] { "usr/lib/x86_64-linux-gnu/libcuda.so.580.1.2", "usr/lib/x86_64-linux-gnu/libcuda.so.1", "usr/lib/x86_64-linux-gnu/libnvidia-ml.so.580.1.2", "usr/lib/x86_64-linux-gnu/libc.so.6", "usr/bin/nvidia-smi" })
        {
            var path = Path.Combine(folder.FullName, "driver", file);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, "");
        }
        return DriverFiles.Find(Path.Combine(folder.FullName, "driver"));
    }

    private static DeviceFolder Folder(string[] has) => new(path => has.Where(node => node.StartsWith(path, StringComparison.Ordinal)));

    private static HandingOptions Options(string flags)
    {
        var command = new RootCommand();
        foreach (var flag in HandingFlags.All)
            command.Options.Add(flag);
        var parsed = command.Parse(flags.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.Empty(parsed.Errors);
        return HandingFlags.Read(parsed);
    }

    // The devices are in the container's order, b before a.
    private static string Answered(string flags, string[]? has = null) => Text(DeviceAnswer.For([B, A, B], Options(flags), Folder(has ?? Everything)));

    private static string Text(ContainerAllocateResponse answer) => string.Join(' ',
    [
        .. answer.Envs.OrderBy(e => e.Key, StringComparer.Ordinal).Select(e => $"{e.Key}={e.Value}"),
        .. answer.Mounts.Select(m => $"{m.HostPath}>{m.ContainerPath}"),
        .. answer.Annotations.Select(a => $"{a.Key[..^36]}*={a.Value}"),
        .. answer.CdiDevices.Select(c => $"cdi:{c.Name}"),
        .. answer.Devices.Select(d => d.HostPath == d.ContainerPath ? $"dev:{d.HostPath}" : $"dev:{d.HostPath}>{d.ContainerPath}"),
    ]);
}
