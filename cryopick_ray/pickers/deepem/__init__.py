"""DeepEM (Zhu, Ouyang and Mao 2017, BMC Bioinformatics 18:348): its networks and picking rule."""
