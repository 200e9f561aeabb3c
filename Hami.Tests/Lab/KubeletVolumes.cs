using Hami.Lab.Kubelet.Volumes;
using k8s;
using k8s.Models;
using static Hami.Tests.Lab.KubeletScene;

namespace Hami.Tests.Lab;

/// <summary>Volumes, ConfigMaps, Secrets and the pod's own fields, as containers see them.</summary>
public sealed class KubeletVolumes
{
    [Fact]
    public async Task Volumes_are_made_and_reached_under_their_mount_paths()
    {
        await using var scene = await KubeletScene.Start(withPlugin: false);
        await scene.Kubernetes.CoreV1.CreateNamespacedConfigMapAsync(new() { Metadata = new() { Name = "conf" }, Data = Texts(("app.ini", "a=1\n"), ("other", "x")) }, "default");
        await scene.Kubernetes.CoreV1.CreateNamespacedSecretAsync(new() { Metadata = new() { Name = "key" }, StringData = Texts(("password", "s3\n")) }, "default");
        var container = Container("c0", 0, "sh", "-c", "cat /etc/conf/sub/app.ini /etc/key/password; cat $WHERE/labels; echo; cat /var/run/secrets/kubernetes.io/serviceaccount/namespace; echo; echo hi >/scratch/x; cat /scratch/x");
        container.Env = [new() { Name = "WHERE", Value = "/etc/pod" }];
        container.VolumeMounts =
        [
            new() { Name = "conf", MountPath = "/etc/conf" }, new() { Name = "key", MountPath = "/etc/key" }, new() { Name = "pod", MountPath = "/etc/pod" },
            new() { Name = "scratch", MountPath = "/scratch" }, new() { Name = "kube-api-access-abcde", MountPath = "/var/run/secrets/kubernetes.io/serviceaccount" },
        ];

        await scene.Run("a1", pod =>
        {
            pod.Metadata.Labels = Texts(("app", "x"));
            pod.Spec.Containers = [container];
            pod.Spec.Volumes =
            [
                new() { Name = "conf", ConfigMap = new() { Name = "conf", Items = [new() { Key = "app.ini", Path = "sub/app.ini" }] } },
                new() { Name = "key", Secret = new() { SecretName = "key", DefaultMode = 0x100 } },
                new() { Name = "pod", DownwardAPI = new() { Items = [new() { Path = "labels", FieldRef = new() { FieldPath = "metadata.labels" } }] } },
                new() { Name = "scratch", EmptyDir = new() },
                new()
                {
                    Name = "kube-api-access-abcde",
                    Projected = new()
                    {
                        Sources =
                        [
                            new() { ServiceAccountToken = new() { Path = "token", ExpirationSeconds = 3607 } },
                            new() { ConfigMap = new() { Name = "kube-root-ca.crt", Optional = true, Items = [new() { Key = "ca.crt", Path = "ca.crt" }] } },
                            new() { DownwardAPI = new() { Items = [new() { Path = "namespace", FieldRef = new() { FieldPath = "metadata.namespace" } }] } },
                        ],
                    },
                },
            ];
        });
        await scene.Until("a1", "Succeeded");

        Assert.Equal("a=1\ns3\napp=\"x\"\ndefault\nhi\n", await scene.Logs("a1", "c0"));
    }

    [Fact]
    public async Task A_pod_waits_for_a_ConfigMap_that_its_volume_needs_and_says_so()
    {
        await using var scene = await KubeletScene.Start(withPlugin: false);

        await scene.Run("a1", pod =>
        {
            pod.Spec.Containers = [Container("c0", 0, "true")];
            pod.Spec.Volumes = [new() { Name = "conf", ConfigMap = new() { Name = "late" } }];
        });
        await Eventually(async () => (await scene.Kubernetes.CoreV1.ListNamespacedEventAsync("default")).Items.Any(e =>
            e is { Reason: "FailedMount", Type: "Warning", Message: "MountVolume.SetUp failed for volume \"conf\" : configmap \"late\" not found" }));
        var waiting = (await scene.Until("a1", p => p.Status.ContainerStatuses is not null)).Status;
        await scene.Kubernetes.CoreV1.CreateNamespacedConfigMapAsync(new() { Metadata = new() { Name = "late" } }, "default");

        Assert.Equal(("Pending", "ContainerCreating"), (waiting.Phase, waiting.ContainerStatuses[0].State.Waiting.Reason));
        await scene.Until("a1", "Succeeded");
    }

    [Fact]
    public async Task The_environment_takes_from_ConfigMaps_Secrets_and_resources()
    {
        await using var scene = await KubeletScene.Start(withPlugin: false);
        await scene.Kubernetes.CoreV1.CreateNamespacedConfigMapAsync(new() { Metadata = new() { Name = "conf" }, Data = Texts(("A", "1"), ("B", "2")) }, "default");
        await scene.Kubernetes.CoreV1.CreateNamespacedSecretAsync(new() { Metadata = new() { Name = "key" }, StringData = Texts(("P", "s3")) }, "default");
        var container = Container("c0", 0, "sh", "-c", "echo $X_A $X_B $FROM_MAP $FROM_SECRET $CPU $MEMORY ${NOTHING-unset}");
        container.Resources = new() { Limits = new Dictionary<string, ResourceQuantity>(StringComparer.Ordinal) { ["cpu"] = new("500m"), ["memory"] = new("64Mi") } };
        container.EnvFrom = [new() { Prefix = "X_", ConfigMapRef = new() { Name = "conf" } }, new() { SecretRef = new() { Name = "nobody", Optional = true } }];
        container.Env =
        [
            new() { Name = "FROM_MAP", ValueFrom = new() { ConfigMapKeyRef = new() { Name = "conf", Key = "B" } } },
            new() { Name = "FROM_SECRET", ValueFrom = new() { SecretKeyRef = new() { Name = "key", Key = "P" } } },
            new() { Name = "CPU", ValueFrom = new() { ResourceFieldRef = new() { Resource = "limits.cpu" } } },
            new() { Name = "MEMORY", ValueFrom = new() { ResourceFieldRef = new() { Resource = "limits.memory", Divisor = new("1Mi") } } },
            new() { Name = "NOTHING", ValueFrom = new() { ConfigMapKeyRef = new() { Name = "conf", Key = "none", Optional = true } } },
        ];

        await scene.Run("a1", container);
        await scene.Until("a1", "Succeeded");

        Assert.Equal("1 2 2 s3 1 64 unset\n", await scene.Logs("a1", "c0"));
    }

    [Theory]
    [InlineData("conf", "none", "couldn't find key none in ConfigMap default/conf")]
    [InlineData("nobody", "A", "configmap \"nobody\" not found")]
    public async Task A_value_that_is_not_there_keeps_the_container_from_being_made(string map, string key, string sentence)
    {
        await using var scene = await KubeletScene.Start(withPlugin: false);
        await scene.Kubernetes.CoreV1.CreateNamespacedConfigMapAsync(new() { Metadata = new() { Name = "conf" } }, "default");
        var container = Container("c0", 0, "true");
        container.Env = [new() { Name = "V", ValueFrom = new() { ConfigMapKeyRef = new() { Name = map, Key = key } } }];

        await scene.Run("a1", container);

        var waiting = (await scene.Until("a1", p => p.Status.ContainerStatuses?[0].State.Waiting?.Reason == "CreateContainerConfigError")).Status.ContainerStatuses[0].State.Waiting;
        Assert.Equal(sentence, waiting.Message);
    }

    [Fact]
    public void No_path_leads_out_of_a_volume_not_even_by_a_link()
    {
        var folder = Directory.CreateTempSubdirectory("kv").FullName;
        File.CreateSymbolicLink(Path.Combine(folder, "out"), "/");
        Directory.CreateDirectory(Path.Combine(folder, "real"));
        File.CreateSymbolicLink(Path.Combine(folder, "in"), Path.Combine(folder, "real"));

        Assert.Equal($"{folder}/in/x", VolumeFolder.Below(folder, "in/x"));
        foreach (var path in new[] { "../x", "/etc", "out", "out/tmp/x" })
            Assert.Throws<SourceException>(() => VolumeFolder.Below(folder, path));
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public void A_path_below_a_volume_is_made_but_none_below_a_folder_of_the_machine()
    {
        var run = Directory.CreateTempSubdirectory("kv").FullName;
        var machine = Directory.CreateTempSubdirectory("kv").FullName;
        var volumes = Texts(("own", $"{run}/volumes/own"), ("host", machine));
        V1Container Mounting(string volume) => new() { Name = "c", VolumeMounts = [new() { Name = volume, MountPath = "/data", SubPath = "sub" }] };

        Assert.Equal($"{run}/volumes/own/sub", PodVolumes.Mounts(Mounting("own"), volumes, volumes, run).Single().HostPath);
        Assert.True(Directory.Exists($"{run}/volumes/own/sub"));
        Assert.Throws<SourceException>(() => PodVolumes.Mounts(Mounting("host"), volumes, volumes, run));
        Assert.Empty(Directory.EnumerateFileSystemEntries(machine));
        Directory.Delete(run, recursive: true);
        Directory.Delete(machine);
    }

    [Theory]
    [InlineData("cat /data/x", "cat /host/d/x")]
    [InlineData("cat /data/sub/x /data2", "cat /host/s/x /data2")]
    [InlineData("--dir=/data", "--dir=/host/d")]
    [InlineData("/my/data /database x/data", "/my/data /database x/data")]
    public void Paths_in_a_commands_words_are_rewritten_where_a_volume_is_mounted(string word, string rewritten) =>
        Assert.Equal(rewritten, Hami.Lab.Kubelet.ContainerEnvironment.TranslateWithin(word,
        [
            new() { ContainerPath = "/data/sub", HostPath = "/host/s" }, new() { ContainerPath = "/data", HostPath = "/host/d" },
        ]));

    private static Dictionary<string, string> Texts(params (string Key, string Value)[] entries) => entries.ToDictionary(e => e.Key, e => e.Value, StringComparer.Ordinal);
}
