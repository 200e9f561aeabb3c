namespace Hami.NodeAgent.Registering;

/// <summary>What a card's model is called in the cluster: in the register annotation, and in metrics.</summary>
internal static class CardType
{
    public static string Of(string model) => model.StartsWith("NVIDIA", StringComparison.Ordinal) ? model : $"NVIDIA-{model}";
}
