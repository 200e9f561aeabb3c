namespace Hami.NodeAgent.Partitioning;

/// <summary>An instance cannot be had; the message is a sentence for the pod's owner and the operator.</summary>
/// <param name="inTheWay">Our own instance of another pod that is in its place; null when that is not the reason.</param>
internal sealed class MigRefusal(string sentence, MadeInstance? inTheWay = null, Exception? cause = null) : Exception(sentence, cause)
{
    public MadeInstance? InTheWay => inTheWay;
}
